"""Packages are found where uv and pip are told to look, without either of them."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from grantha.downloads.download import open_session
from grantha.downloads.index_settings import IndexSettings, default_index, read_index_settings
from grantha.downloads.package_index import PackageIndex
from grantha.errors import Unreachable
from tests.downloads.flaky_host import Answer, FlakyHost, serving
from tests.server import reserved_port

WHEEL = "some_package-1.2-py3-none-any.whl"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as found:
        yield found


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """Variables under which no file of this machine counts."""
    return {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "UV_CONFIG_FILE": str(tmp_path / "uv.toml"),
        "PIP_CONFIG_FILE": "/dev/null",
    }


def test_nothing_configured_means_the_index_of_pip_itself(bare: dict[str, str]) -> None:
    settings = read_index_settings(bare)
    assert settings == IndexSettings((default_index() or "",), (), None)
    assert settings.indexes[0].startswith("https://")
    assert settings.indexes[0].endswith("/simple")


def test_variables_win_over_files_and_uv_over_pip(bare: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://file.example/pip\ncert = /ca.pem\nextra-index-url =\n"
        "  https://more.example/1\n  https://more.example/2\n[install]\nfind-links = /wheels\n"
    )
    bare["PIP_CONFIG_FILE"] = str(tmp_path / "pip.conf")
    extra = ("https://more.example/1", "https://more.example/2")
    assert read_index_settings(bare) == IndexSettings(
        ("https://file.example/pip", *extra), ("/wheels",), "/ca.pem"
    )
    (tmp_path / "uv.toml").write_text('index-url = "https://file.example/uv"\n')
    assert read_index_settings(bare).indexes[0] == "https://file.example/uv"
    bare["PIP_INDEX_URL"] = "https://variable.example/pip"
    assert read_index_settings(bare).indexes[0] == "https://variable.example/pip"
    bare["UV_DEFAULT_INDEX"] = "mirror=https://variable.example/uv"
    assert read_index_settings(bare).indexes == ("https://variable.example/uv", *extra)


def test_the_indexes_of_uv_are_read_with_their_default(
    bare: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "uv.toml").write_text(
        '[[index]]\nurl = "https://extra.example"\n[[index]]\nurl = "https://main.example"\n'
        'default = true\n[pip]\nfind-links = ["/folder"]\n'
    )
    settings = read_index_settings(bare)
    assert settings.indexes == ("https://main.example", "https://extra.example")
    assert settings.links == ("/folder",)


def test_uv_and_pip_can_be_set_to_use_no_index(bare: dict[str, str]) -> None:
    bare |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/a /b"}
    assert read_index_settings(bare) == IndexSettings((), ("/a", "/b"), None)


@pytest.mark.parametrize("text", ["= [", "[global\n", "\x00\xff"])
def test_a_damaged_configuration_counts_as_absent(
    bare: dict[str, str], tmp_path: Path, text: str
) -> None:
    (tmp_path / "uv.toml").write_text(text)
    bare["PIP_CONFIG_FILE"] = str(tmp_path / "uv.toml")
    assert read_index_settings(bare).indexes == (default_index(),)


def test_a_python_without_pip_finds_the_default_in_the_bundled_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = default_index()
    monkeypatch.setitem(sys.modules, "pip", None)
    assert default_index() == before


@pytest.mark.parametrize("kind", ["json", "html"])
async def test_both_forms_of_the_simple_api_are_understood(
    session: aiohttp.ClientSession, kind: str
) -> None:
    json_page = {
        "files": [
            {"filename": "some-package-1.2.tar.gz", "url": "../x", "hashes": {}},
            {"filename": WHEEL, "url": f"../../files/{WHEEL}", "hashes": {"sha256": "ab"}},
            {"filename": WHEEL.replace("1.2", "1.3"), "url": "x", "hashes": {}, "yanked": "bad"},
        ]
    }
    page = (
        f'<a href="../../files/{WHEEL}#sha256=ab">{WHEEL}</a>'
        f'<a href="{WHEEL.replace("1.2", "1.3")}" data-yanked="bad">yanked</a>'
        '<a href="../some-package-1.2.tar.gz">source</a><a>no address</a>'
    )
    content = json.dumps(json_page) if kind == "json" else page
    host = FlakyHost(content.encode())
    host.content_type = "application/vnd.pypi.simple.v1+json" if kind == "json" else "text/html"
    async with serving(host):
        base = f"http://127.0.0.1:{host.port}"
        index = PackageIndex(session, IndexSettings((f"{base}/simple/",)))
        good, yanked = await index.wheels("Some.Package")
    assert host.requests[0][":path"] == "/simple/some-package/"
    assert (good.version, good.url, good.sha256) == ("1.2", f"{base}/files/{WHEEL}", "ab")
    assert (good.yanked, yanked.yanked, yanked.version) == (False, True, "1.3")


@pytest.mark.parametrize("as_url", [False, True])
async def test_a_folder_of_wheels_counts_as_an_index(
    session: aiohttp.ClientSession, tmp_path: Path, as_url: bool
) -> None:
    (tmp_path / WHEEL).write_bytes(b"")
    (tmp_path / "other-1.0-py3-none-any.whl").write_bytes(b"")
    place = tmp_path.as_uri() if as_url else str(tmp_path)
    (found,) = await PackageIndex(session, IndexSettings((), (place,))).wheels("some-package")
    assert found.path == tmp_path / WHEEL


async def test_an_index_that_is_away_is_passed_over_and_reported_only_when_no_other_has_it(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    (tmp_path / "some-package").mkdir()
    (tmp_path / "some-package" / WHEEL).write_bytes(b"")
    with reserved_port() as port:
        away = f"http://user:secret@127.0.0.1:{port}/simple"
        index = PackageIndex(session, IndexSettings((away, tmp_path.as_uri())))
        assert [wheel.filename for wheel in await index.wheels("some-package")] == [WHEEL]
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1 couldn't be reached") as raised:
            await index.wheels("another")
    assert "secret" not in raised.value.message


async def test_a_package_that_no_index_has_is_an_empty_list(session: aiohttp.ClientSession) -> None:
    async with serving(FlakyHost(b"", answers=[Answer(status=404)])) as host:
        index = PackageIndex(session, IndexSettings((f"http://127.0.0.1:{host.port}",)))
        assert await index.wheels("some-package") == []

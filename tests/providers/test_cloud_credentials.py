"""Credentials that a cloud gives: profiles, roles, machines. Each giver has a stand-in on this machine.

botocore asks in a thread, and the stand-ins answer on the loop: a call that blocked would never end.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from grantha import errors
from grantha.chat import Call, text_message
from grantha.config import Settings
from grantha.providers import cloud
from grantha.providers.registry import Registry
from tests.vendors import shapes
from tests.vendors.server import Seen, Vendor, serving, status

QUESTION = (text_message("user", "Hello?"),)


class Giver(Vendor):
    """A vendor that also answers, at single paths, as those do who give credentials."""

    def __init__(self, shape: shapes.Shape) -> None:
        super().__init__(shape)
        self.gives: dict[str, Callable[[web.Request], web.Response]] = {}
        self.asked: list[str] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        give = self.gives.get(request.path)
        if give is None:
            return await super().handle(request)
        self.asked.append(request.path)
        await request.post()
        return give(request)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without credentials of any kind, in a home of its own."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "CLOUDSDK_", "GCE_", "K_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def registry(**variables: str) -> Registry:
    return Registry(Settings(local_enabled=False, variables={**os.environ, **variables}))


async def ask(made: Registry, model: str) -> None:
    provider, name = made.resolve(model)
    upstream = await provider.open(Call(name, QUESTION))
    async for _ in upstream:
        pass


async def ask_bedrock(vendor: Vendor, times: int = 1) -> list[Seen]:
    made = registry(GRANTHA_BEDROCK_BASE_URL=vendor.url)
    try:
        for _ in range(times):
            await ask(made, "bedrock/m")
    finally:
        await made.aclose()
    return [seen for seen in vendor.calls if seen.path.endswith("converse-stream")]


def signer(seen: Seen) -> str:
    """The access key, and the region it signed for."""
    scope = seen.headers["Authorization"].split("Credential=")[1].split(",")[0].split("/")
    return f"{scope[0]} {scope[2]}"


def keys(name: str, minutes: int = 60) -> dict[str, str]:
    """A set of temporary keys, as containers and instances are given them."""
    ends = datetime.now(UTC) + timedelta(minutes=minutes)
    return {
        "Code": "Success",
        "AccessKeyId": name,
        "SecretAccessKey": "planted-secret",
        "Token": f"session of {name}",
        "Expiration": ends.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def granted(action: str, name: str) -> web.Response:
    """STS's reply."""
    found = keys(name)
    body = f"""<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result>
        <Credentials><AccessKeyId>{name}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
        <SessionToken>t</SessionToken><Expiration>{found["Expiration"]}</Expiration></Credentials>
        </{action}Result></{action}Response>"""
    return web.Response(text=body, content_type="text/xml")


def configured(folder: Path, text: str) -> None:
    (folder / ".aws").mkdir()
    (folder / ".aws" / "config").write_text(text)


# ---- Amazon


async def test_a_profile_names_keys_and_region(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configured(
        tmp_path,
        "[profile work]\nregion = eu-north-1\n"
        "aws_access_key_id = AKIDWORK\naws_secret_access_key = planted-secret\n",
    )
    bare.setenv("AWS_PROFILE", "work")
    async with serving(shapes.BEDROCK) as vendor:
        assert [signer(seen) for seen in await ask_bedrock(vendor)] == ["AKIDWORK eu-north-1"]


async def test_the_list_of_models_is_signed_too(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_ACCESS_KEY_ID", "AKIDLIST")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    async with serving(shapes.BEDROCK) as vendor:
        made = registry(GRANTHA_BEDROCK_BASE_URL=vendor.url)
        cards = await made.provider("bedrock").models()
        assert [card.id for card in cards] == ["bedrock/m", "bedrock/m2"]
        assert [signer(seen) for seen in vendor.seen] == ["AKIDLIST us-east-1"] * 2
        await made.aclose()


async def test_a_role_is_assumed_with_the_keys_of_another_profile(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configured(
        tmp_path,
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n"
        "[profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\nregion = eu-west-3\n",
    )
    bare.setenv("AWS_PROFILE", "role")
    async with serving(shapes.BEDROCK, Giver) as vendor:
        assert isinstance(vendor, Giver)
        vendor.gives["/"] = lambda _: granted("AssumeRole", "ASIAROLE")
        bare.setenv("AWS_ENDPOINT_URL_STS", vendor.url)
        seen = await ask_bedrock(vendor, times=2)
        assert [signer(each) for each in seen] == ["ASIAROLE eu-west-3"] * 2
        assert seen[0].headers["X-Amz-Security-Token"] == "t"
        assert vendor.asked == ["/"]  # once for both


async def test_a_web_identity_is_exchanged_for_a_role(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("a signed token")
    bare.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    bare.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")
    bare.setenv("AWS_REGION", "us-west-2")
    async with serving(shapes.BEDROCK, Giver) as vendor:
        assert isinstance(vendor, Giver)
        vendor.gives["/"] = lambda _: granted("AssumeRoleWithWebIdentity", "ASIAWEB")
        bare.setenv("AWS_ENDPOINT_URL_STS", vendor.url)
        assert [signer(seen) for seen in await ask_bedrock(vendor)] == ["ASIAWEB us-west-2"]


async def test_a_container_s_keys_are_asked_for_again_when_they_end_soon(
    bare: pytest.MonkeyPatch,
) -> None:
    lent = [keys("ASIAOLD", 5), keys("ASIAOLD", 5), keys("ASIANEW", 60)]
    async with serving(shapes.BEDROCK, Giver) as vendor:
        assert isinstance(vendor, Giver)
        vendor.gives["/container"] = lambda _: web.json_response(lent.pop(0))
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{vendor.url}/container")
        seen = await ask_bedrock(vendor, times=3)
        assert [signer(each).split()[0] for each in seen] == ["ASIAOLD", "ASIANEW", "ASIANEW"]
        assert lent == []


async def test_keys_that_end_before_their_time_are_asked_for_again_once(
    bare: pytest.MonkeyPatch,
) -> None:
    lent = [keys(name) for name in ("ASIAOLD", "ASIANEW", "ASIA3", "ASIA4")]
    ended = status(
        403,
        {"message": "The security token included in the request is expired"},
        **{"x-amzn-errortype": "ExpiredTokenException:http://internal.amazon.com/"},
    )
    async with serving(shapes.BEDROCK, Giver) as vendor:
        assert isinstance(vendor, Giver)
        vendor.gives["/container"] = lambda _: web.json_response(lent.pop(0))
        vendor.plans.append(ended)
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{vendor.url}/container")
        seen = await ask_bedrock(vendor)
        assert [signer(each).split()[0] for each in seen] == ["ASIAOLD", "ASIANEW"]
        vendor.plans.extend([ended, ended])
        with pytest.raises(errors.KeyRejected):
            await ask_bedrock(vendor)
        assert lent == []


async def test_an_instance_gives_the_keys_of_its_role(bare: pytest.MonkeyPatch) -> None:
    async with serving(shapes.BEDROCK, Giver) as vendor:
        assert isinstance(vendor, Giver)
        roles = "/latest/meta-data/iam/security-credentials/"
        vendor.gives = {
            "/latest/api/token": lambda _: web.Response(text="session"),
            roles: lambda _: web.Response(text="role"),
            f"{roles}role": lambda _: web.json_response(keys("ASIAINSTANCE")),
        }
        bare.delenv("AWS_EC2_METADATA_DISABLED")
        bare.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f"{vendor.url}/")
        bare.setenv("AWS_REGION", "us-east-2")
        assert [signer(seen) for seen in await ask_bedrock(vendor)] == ["ASIAINSTANCE us-east-2"]


async def test_a_refused_role_tells_aws_s_code_and_no_account(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("a signed token")
    bare.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    bare.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/secret-project")
    async with serving(shapes.BEDROCK, Giver) as vendor:
        assert isinstance(vendor, Giver)
        body = (
            '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
            "<Code>AccessDenied</Code><Message>Not authorized: secret-project</Message>"
            "</Error></ErrorResponse>"
        )
        vendor.gives["/"] = lambda _: web.Response(status=403, text=body, content_type="text/xml")
        bare.setenv("AWS_ENDPOINT_URL_STS", vendor.url)
        with pytest.raises(errors.KeyRejected, match="AccessDenied") as caught:
            await ask_bedrock(vendor)
        assert "secret-project" not in caught.value.message + caught.value.advice


async def test_a_profile_that_is_not_there_is_named(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_PROFILE", "nobody")
    made = registry()
    with pytest.raises(errors.MissingKey, match="'nobody'"):
        await ask(made, "bedrock/m")
    await made.aclose()


@pytest.mark.usefixtures("bare")
def test_bedrock_without_anything_names_what_can_be_set() -> None:
    with pytest.raises(errors.MissingKey, match="a key or AWS credentials") as caught:
        registry().resolve("bedrock/m")
    for name in ("AWS_BEARER_TOKEN_BEDROCK", "AWS_PROFILE", "AWS_SECRET_ACCESS_KEY"):
        assert name in caught.value.advice


@pytest.mark.usefixtures("bare")
def test_aws_files_count_for_bedrock_once_a_region_is_set(tmp_path: Path) -> None:
    configured(tmp_path, "[default]\naws_access_key_id = A\naws_secret_access_key = s\n")
    assert registry().provider("bedrock").readiness().state == "missing-key"
    made = registry(AWS_REGION="us-east-1")
    assert made.provider("bedrock").readiness().state == "ready"


# ---- Google


def vertex(vendor: Vendor, **variables: str) -> Registry:
    return registry(GRANTHA_VERTEX_BASE_URL=vendor.url, **variables)


@pytest.mark.usefixtures("bare")
async def test_google_s_metadata_server_gives_a_token_that_is_kept() -> None:
    flavors: list[str | None] = []

    def token(request: web.Request) -> web.Response:
        flavors.append(request.headers.get("Metadata-Flavor"))
        lifetime = 60 if len(flavors) == 1 else 3600  # the first one ends too soon to be kept
        return web.json_response({"access_token": f"t{len(flavors)}", "expires_in": lifetime})

    async with serving(shapes.GEMINI, Giver) as vendor:
        assert isinstance(vendor, Giver)
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        vendor.gives[path] = token
        made = vertex(vendor, GCE_METADATA_HOST=vendor.url.removeprefix("http://"))
        for _ in range(3):
            await ask(made, "vertex/gemini-x")
        tokens = [seen.headers["Authorization"] for seen in vendor.calls]
        assert tokens == ["Bearer t1", "Bearer t2", "Bearer t2"]
        assert flavors == ["Google", "Google"]
        await made.aclose()


@pytest.mark.usefixtures("bare")
async def test_a_token_that_was_fetched_is_in_no_error() -> None:
    async with serving(shapes.GEMINI, Giver) as vendor:
        assert isinstance(vendor, Giver)
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        secret = "planted-token-0123456789"
        vendor.gives[path] = lambda _: web.json_response({"access_token": secret})
        vendor.plans.append(status(400, {"error": {"message": f"Odd header: Bearer {secret}"}}))
        made = vertex(vendor, GCE_METADATA_HOST=vendor.url.removeprefix("http://"))
        with pytest.raises(errors.RequestRefused) as caught:
            await ask(made, "vertex/gemini-x")
        assert secret not in str(caught.value) + repr(caught.value)
        await made.aclose()


@pytest.mark.usefixtures("bare")
async def test_a_machine_without_a_service_account_says_so() -> None:
    async with serving(shapes.GEMINI, Giver) as vendor:
        assert isinstance(vendor, Giver)
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        vendor.gives[path] = lambda _: web.Response(status=404, text="not found")
        made = vertex(vendor, GCE_METADATA_HOST=vendor.url.removeprefix("http://"))
        with pytest.raises(errors.KeyRejected, match="service account"):
            await ask(made, "vertex/gemini-x")
        await made.aclose()


@pytest.mark.usefixtures("bare")
async def test_gcloud_s_own_file_is_found_and_its_project_asked_for_quota(tmp_path: Path) -> None:
    async with serving(shapes.GEMINI, Giver) as vendor:
        assert isinstance(vendor, Giver)
        vendor.gives["/token"] = lambda _: web.json_response({"access_token": "mine"})
        own: dict[str, Any] = {
            "type": "authorized_user",
            "refresh_token": "r",
            "quota_project_id": "quota-1",
            "token_uri": f"{vendor.url}/token",
        }
        folder = tmp_path / ".config" / "gcloud"
        folder.mkdir(parents=True)
        (folder / "application_default_credentials.json").write_text(json.dumps(own))
        made = vertex(vendor)
        await ask(made, "vertex/gemini-x")
        headers = vendor.calls[0].headers
        assert headers["Authorization"] == "Bearer mine"
        assert headers["x-goog-user-project"] == "quota-1"
        await made.aclose()


@pytest.mark.usefixtures("bare")
async def test_google_credentials_of_an_unknown_kind_are_told(tmp_path: Path) -> None:
    path = tmp_path / "external.json"
    path.write_text('{"type": "external_account"}')
    made = registry(GRANTHA_VERTEX_BASE_URL="http://x", GOOGLE_APPLICATION_CREDENTIALS=str(path))
    with pytest.raises(errors.Unsupported, match="external_account"):
        await ask(made, "vertex/gemini-x")
    await made.aclose()


@pytest.mark.usefixtures("bare")
def test_vertex_without_anything_names_what_can_be_set() -> None:
    made = registry(GOOGLE_CLOUD_PROJECT="p", NO_GCE_CHECK="true")
    with pytest.raises(errors.MissingKey, match="Google credentials") as caught:
        made.resolve("vertex/gemini-x")
    assert "GOOGLE_APPLICATION_CREDENTIALS" in caught.value.advice


# ---- which machine this is


@pytest.mark.parametrize(
    ("file", "maker", "google", "amazon"),
    [
        ("product_name", "Google Compute Engine\n", True, False),
        ("sys_vendor", "Amazon EC2\n", False, True),
        ("sys_vendor", "QEMU\n", False, False),
    ],
)
def test_a_cloud_s_machine_is_known_by_its_firmware(
    tmp_path: Path, file: str, maker: str, google: bool, amazon: bool
) -> None:
    (tmp_path / file).write_text(maker)
    assert (cloud.on_google({}, tmp_path), cloud.on_amazon({}, tmp_path)) == (google, amazon)
    assert not cloud.on_google({"NO_GCE_CHECK": "true"}, tmp_path)
    assert not cloud.on_amazon({"AWS_EC2_METADATA_DISABLED": "true"}, tmp_path)

"""Where Vertex's tokens come from: files, gcloud, the metadata server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from grantha import errors
from grantha.providers import cloud_detection
from grantha.providers.registry import Registry
from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import FakeVendor, status
from tests.providers.credential_server import ask, credential_server, registry


def vertex(vendor: FakeVendor, **variables: str) -> Registry:
    return registry(GRANTHA_VERTEX_BASE_URL=vendor.url, **variables)


@pytest.mark.usefixtures("bare")
async def test_google_s_metadata_server_gives_a_token_that_is_kept() -> None:
    flavors: list[str | None] = []

    def token(request: web.Request) -> web.Response:
        flavors.append(request.headers.get("Metadata-Flavor"))
        lifetime = 60 if len(flavors) == 1 else 3600  # the first one ends too soon to be kept
        return web.json_response({"access_token": f"t{len(flavors)}", "expires_in": lifetime})

    async with credential_server(wire_samples.GEMINI) as vendor:
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        vendor.responses[path] = token
        made = vertex(vendor, GCE_METADATA_HOST=vendor.url.removeprefix("http://"))
        for _ in range(3):
            await ask(made, "vertex/gemini-x")
        tokens = [seen.headers["Authorization"] for seen in vendor.calls]
        assert tokens == ["Bearer t1", "Bearer t2", "Bearer t2"]
        assert flavors == ["Google", "Google"]
        await made.aclose()


@pytest.mark.usefixtures("bare")
async def test_a_token_that_was_fetched_is_in_no_error() -> None:
    async with credential_server(wire_samples.GEMINI) as vendor:
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        secret = "planted-token-0123456789"
        vendor.responses[path] = lambda _: web.json_response({"access_token": secret})
        vendor.plans.append(status(400, {"error": {"message": f"Odd header: Bearer {secret}"}}))
        made = vertex(vendor, GCE_METADATA_HOST=vendor.url.removeprefix("http://"))
        with pytest.raises(errors.RequestRefused) as caught:
            await ask(made, "vertex/gemini-x")
        assert secret not in str(caught.value) + repr(caught.value)
        await made.aclose()


@pytest.mark.usefixtures("bare")
async def test_a_token_that_is_exchanged_is_in_no_error(tmp_path: Path) -> None:
    async with credential_server(wire_samples.GEMINI) as vendor:
        secrets = {
            "refresh_token": "planted-refresh-0123456789",
            "client_secret": "GOCSPX-" + "9" * 28,
        }
        said = {"error": {"message": f"Broken: {' '.join(secrets.values())}", "status": "INTERNAL"}}
        vendor.responses["/token"] = lambda _: web.json_response(said, status=500)
        path = tmp_path / "credentials.json"
        own = {"type": "authorized_user", "token_uri": f"{vendor.url}/token", **secrets}
        path.write_text(json.dumps(own))
        made = vertex(vendor, GOOGLE_APPLICATION_CREDENTIALS=str(path))
        with pytest.raises(errors.ProviderFailed) as caught:
            await ask(made, "vertex/gemini-x")
        assert not any(secret in repr(caught.value) for secret in secrets.values())
        await made.aclose()


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("lifetime", ["inf", "nan", "1e999", "-5", '"3600"', "[1]", "9" * 400])
async def test_a_lifetime_that_no_token_has_is_the_usual_one(lifetime: str) -> None:
    async with credential_server(wire_samples.GEMINI) as vendor:
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        granted = f'{{"access_token":"t","expires_in":{lifetime}}}'.replace("inf", "Infinity")
        vendor.responses[path] = lambda _: web.Response(text=granted.replace("nan", "NaN"))
        made = vertex(vendor, GCE_METADATA_HOST=vendor.url.removeprefix("http://"))
        for _ in range(2):
            await ask(made, "vertex/gemini-x")
        assert len(vendor.forms) == 1
        await made.aclose()


@pytest.mark.usefixtures("bare")
async def test_a_machine_without_a_service_account_says_so() -> None:
    async with credential_server(wire_samples.GEMINI) as vendor:
        path = "/computeMetadata/v1/instance/service-accounts/default/token"
        vendor.responses[path] = lambda _: web.Response(status=404, text="not found")
        made = vertex(vendor, GCE_METADATA_HOST=vendor.url.removeprefix("http://"))
        with pytest.raises(errors.KeyRejected, match="service account"):
            await ask(made, "vertex/gemini-x")
        await made.aclose()


@pytest.mark.usefixtures("bare")
async def test_gcloud_s_own_file_is_found_and_its_project_is_charged_for_quota(
    tmp_path: Path,
) -> None:
    async with credential_server(wire_samples.GEMINI) as vendor:
        vendor.responses["/token"] = lambda _: web.json_response({"access_token": "mine"})
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
async def test_google_credentials_of_an_unknown_kind_are_reported(tmp_path: Path) -> None:
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


@pytest.mark.usefixtures("bare")
async def test_a_person_s_own_google_credentials_are_exchanged_once(tmp_path: Path) -> None:
    async with credential_server(wire_samples.GEMINI) as vendor:
        vendor.responses["/token"] = lambda _: web.json_response({"access_token": "fresh"})
        path = tmp_path / "credentials.json"
        own = {
            "type": "authorized_user",
            "client_id": "id",
            "client_secret": "secret",
            "refresh_token": "refresh-me",
            "token_uri": f"{vendor.url}/token",
        }
        path.write_text(json.dumps(own))
        made = vertex(vendor, GOOGLE_APPLICATION_CREDENTIALS=str(path))
        for _ in range(2):
            await ask(made, "vertex/gemini-x")
        assert [s.headers["Authorization"] for s in vendor.calls] == ["Bearer fresh"] * 2
        (form,) = vendor.forms
        assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", "refresh-me")
        await made.aclose()


@pytest.mark.usefixtures("bare")
async def test_a_service_account_signs_for_its_token(tmp_path: Path) -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    async with credential_server(wire_samples.GEMINI) as vendor:
        vendor.responses["/token"] = lambda _: web.json_response({"access_token": "fresh"})
        robot = {
            "type": "service_account",
            "client_email": "robot@example.org",
            "private_key_id": "1",
            "private_key": pem,
            "token_uri": f"{vendor.url}/token",
        }
        path = tmp_path / "credentials.json"
        path.write_text(json.dumps(robot))
        made = vertex(vendor, GOOGLE_APPLICATION_CREDENTIALS=str(path))
        await ask(made, "vertex/gemini-x")
        assert vendor.calls[-1].headers["Authorization"] == "Bearer fresh"
        claim = jwt.decode(
            vendor.forms[0]["assertion"],
            private.public_key(),
            algorithms=["RS256"],
            audience=robot["token_uri"],
        )
        assert claim["iss"] == "robot@example.org"
        await made.aclose()
        path.write_text(json.dumps({**robot, "private_key": "broken"}))
        other = vertex(vendor, GOOGLE_APPLICATION_CREDENTIALS=str(path))
        with pytest.raises(errors.MissingKey, match="private key"):
            await ask(other, "vertex/gemini-x")
        await other.aclose()


@pytest.mark.usefixtures("bare")
async def test_google_credentials_that_can_t_be_read_are_reported() -> None:
    nowhere = "/nowhere.json"
    made = registry(GRANTHA_VERTEX_BASE_URL="http://x", GOOGLE_APPLICATION_CREDENTIALS=nowhere)
    with pytest.raises(errors.MissingKey, match="GOOGLE_APPLICATION_CREDENTIALS"):
        await ask(made, "vertex/gemini-x")
    await made.aclose()


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
    assert (cloud_detection.on_google({}, tmp_path), cloud_detection.on_amazon({}, tmp_path)) == (
        google,
        amazon,
    )
    assert not cloud_detection.on_google({"NO_GCE_CHECK": "true"}, tmp_path)
    assert not cloud_detection.on_amazon({"AWS_EC2_METADATA_DISABLED": "true"}, tmp_path)

"""Where the keys that sign for Bedrock come from: variables, profiles, roles, containers, instances."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from grantha import errors
from tests.fake_vendors import wire_samples
from tests.fake_vendors.server import FakeVendor, Seen, fake_vendor, status
from tests.providers.credential_server import ask, credential_server, registry


async def ask_bedrock(vendor: FakeVendor, times: int = 1) -> list[Seen]:
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


async def test_a_profile_names_keys_and_region(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configured(
        tmp_path,
        "[profile work]\nregion = eu-north-1\n"
        "aws_access_key_id = AKIDWORK\naws_secret_access_key = planted-secret\n",
    )
    bare.setenv("AWS_PROFILE", "work")
    async with fake_vendor(wire_samples.BEDROCK) as vendor:
        assert [signer(seen) for seen in await ask_bedrock(vendor)] == ["AKIDWORK eu-north-1"]


async def test_the_list_of_models_is_signed_too(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_ACCESS_KEY_ID", "AKIDLIST")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    async with fake_vendor(wire_samples.BEDROCK) as vendor:
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
    async with credential_server(wire_samples.BEDROCK) as vendor:
        vendor.responses["/"] = lambda _: granted("AssumeRole", "ASIAROLE")
        bare.setenv("AWS_ENDPOINT_URL_STS", vendor.url)
        seen = await ask_bedrock(vendor, times=2)
        assert [signer(each) for each in seen] == ["ASIAROLE eu-west-3"] * 2
        assert seen[0].headers["X-Amz-Security-Token"] == "t"
        assert len(vendor.forms) == 1  # once for both


async def test_a_web_identity_is_exchanged_for_a_role(
    bare: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("a signed token")
    bare.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    bare.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")
    bare.setenv("AWS_REGION", "us-west-2")
    async with credential_server(wire_samples.BEDROCK) as vendor:
        vendor.responses["/"] = lambda _: granted("AssumeRoleWithWebIdentity", "ASIAWEB")
        bare.setenv("AWS_ENDPOINT_URL_STS", vendor.url)
        assert [signer(seen) for seen in await ask_bedrock(vendor)] == ["ASIAWEB us-west-2"]


async def test_a_container_s_keys_are_fetched_again_shortly_before_they_expire(
    bare: pytest.MonkeyPatch,
) -> None:
    lent = [keys("ASIAOLD", 5), keys("ASIAOLD", 5), keys("ASIANEW", 60)]
    async with credential_server(wire_samples.BEDROCK) as vendor:
        vendor.responses["/container"] = lambda _: web.json_response(lent.pop(0))
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{vendor.url}/container")
        seen = await ask_bedrock(vendor, times=3)
        assert [signer(each).split()[0] for each in seen] == ["ASIAOLD", "ASIANEW", "ASIANEW"]
        assert lent == []


async def test_keys_that_expire_early_are_fetched_again_once(
    bare: pytest.MonkeyPatch,
) -> None:
    lent = [keys(name) for name in ("ASIAOLD", "ASIANEW", "ASIA3", "ASIA4")]
    ended = status(
        403,
        {"message": "The security token included in the request is expired"},
        **{"x-amzn-errortype": "ExpiredTokenException:http://internal.amazon.com/"},
    )
    async with credential_server(wire_samples.BEDROCK) as vendor:
        vendor.responses["/container"] = lambda _: web.json_response(lent.pop(0))
        vendor.plans.append(ended)
        bare.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{vendor.url}/container")
        seen = await ask_bedrock(vendor)
        assert [signer(each).split()[0] for each in seen] == ["ASIAOLD", "ASIANEW"]
        vendor.plans.extend([ended, ended])
        with pytest.raises(errors.KeyRejected):
            await ask_bedrock(vendor)
        assert lent == []


async def test_an_instance_gives_the_keys_of_its_role(bare: pytest.MonkeyPatch) -> None:
    async with credential_server(wire_samples.BEDROCK) as vendor:
        roles = "/latest/meta-data/iam/security-credentials/"
        vendor.responses = {
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
    async with credential_server(wire_samples.BEDROCK) as vendor:
        body = (
            '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
            "<Code>AccessDenied</Code><Message>Not authorized: secret-project</Message>"
            "</Error></ErrorResponse>"
        )
        vendor.responses["/"] = lambda _: web.Response(
            status=403, text=body, content_type="text/xml"
        )
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


async def test_keys_of_the_environment_sign_every_request(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    bare.setenv("AWS_SECRET_ACCESS_KEY", "planted-secret")
    bare.setenv("AWS_SESSION_TOKEN", "session")
    bare.setenv("AWS_REGION", "eu-west-1")
    async with fake_vendor(wire_samples.BEDROCK) as vendor:
        made = registry(GRANTHA_BEDROCK_BASE_URL=vendor.url)
        await ask(made, "bedrock/arn:aws:bedrock:eu-west-1:1:inference-profile/x.y-v1:0")
        headers = vendor.calls[0].headers
        assert "/eu-west-1/bedrock/aws4_request" in headers["Authorization"]
        assert headers["X-Amz-Security-Token"] == "session"
        assert "planted-secret" not in str(headers)
        await made.aclose()


@pytest.mark.usefixtures("bare")
def test_an_aws_key_without_its_secret_names_what_is_missing() -> None:
    with pytest.raises(errors.MissingKey) as caught:
        registry(AWS_ACCESS_KEY_ID="AKIDEXAMPLE").resolve("bedrock/m")
    assert "AWS_SECRET_ACCESS_KEY" in caught.value.advice

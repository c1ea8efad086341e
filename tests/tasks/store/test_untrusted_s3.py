"""A store on S3 that others may write, and one that may only be read."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.runs.store import listing, verify_store
from tasks.errors import UserError
from tasks.store.store import MANIFEST, ArtifactRef, Damage, Store
from tests.s3 import BUCKET, S3, s3_server
from tests.tasks.store.hostile import BROKEN, CLAIMS, KEY, KIND, Claim, Site, escaped, put

OTHER = "fedcba9876543210"
NAMES = ("file '../../escaped'", "part elsewhere", "another digest")
FALSE = [claim for claim in CLAIMS if claim.name in NAMES]
READ = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}


@pytest.fixture
def address(s3_named: S3) -> str:
    return f"s3://{BUCKET}/{uuid.uuid4().hex[:8]}"


@pytest.fixture
def site(address: str, tmp_path: Path) -> Site:
    store = Store(address, cache=tmp_path / "maker")
    put(store)
    put(store, KIND, OTHER)
    return Site(address)


def see_damage_and_healing(address: str, cache: Path, said: str) -> None:
    store = Store(address, cache=cache)
    with pytest.raises(Damage, match=said):
        store.path(store.lookup(KIND, KEY) or ArtifactRef(KIND, "none", "", 0))
    found = verify_store(address)
    assert found.whole == 1 and len(found.damaged) == 1
    assert {row.key for row in listing(address)} == {KEY, OTHER}
    store.discard(KIND, KEY)
    put(store)
    assert verify_store(address).whole == 2


@pytest.mark.parametrize("claim", FALSE, ids=lambda claim: claim.name)
def test_a_false_claim_is_damage(site: Site, address: str, tmp_path: Path, claim: Claim) -> None:
    site.change(claim.change, honest=claim.honest)
    see_damage_and_healing(address, tmp_path / "reader", claim.said)
    assert escaped(tmp_path) == []


@pytest.mark.parametrize("name", ["empty", "nested arrays", "too large"])
def test_a_broken_manifest_is_damage(site: Site, address: str, tmp_path: Path, name: str) -> None:
    site.write(f"{KIND}/{KEY}/{MANIFEST}", BROKEN[name])
    see_damage_and_healing(address, tmp_path / "reader", MANIFEST)


def test_a_file_that_no_manifest_names_is_damage(site: Site, address: str, tmp_path: Path) -> None:
    site.write(f"{site.payload()}/deep/more", b"x")
    see_damage_and_healing(address, tmp_path / "reader", "deep/more is not in its manifest")


def test_uploads_and_stand_ins_for_folders_are_no_damage(
    site: Site, address: str, tmp_path: Path
) -> None:
    """A console makes an empty object for a folder; another machine may upload just now."""
    site.write(f"{KIND}/{KEY}/0123456789ab/half.bin", b"half")
    site.fs.pipe_file(f"{site.root}/{site.payload()}/deep/", b"")
    assert Store(address, cache=tmp_path / "reader").lookup(KIND, KEY) is not None


def test_an_artifact_whose_name_is_a_pattern_goes_alone(site: Site, address: str) -> None:
    site.write(f"{KIND}/*/{MANIFEST}", b"{}")
    assert verify_store(address).whole == 2
    Store(address, cache=Path("unused")).discard(KIND, "*")
    assert verify_store(address).whole == 2
    assert [name for name in site.names() if "*" in name] == []


@pytest.fixture
def reader_of_s3(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """A store with an artifact, and from now on credentials that may only read."""
    import boto3

    with s3_server(INITIAL_NO_AUTH_ACTION_COUNT="100000") as strict:
        for name, value in strict.variables.items():
            monkeypatch.setenv(name, value)
        address = f"s3://{BUCKET}/read-only"
        put(Store(address, cache=tmp_path / "maker"))
        iam = boto3.client("iam", endpoint_url=strict.direct)
        iam.create_user(UserName="reader")
        policy = json.dumps({"Version": "2012-10-17", "Statement": [READ]})
        iam.put_user_policy(UserName="reader", PolicyName="read", PolicyDocument=policy)
        made = iam.create_access_key(UserName="reader")["AccessKey"]
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", made["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", made["SecretAccessKey"])
        place, plain = f"{strict.direct}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(place, b"0", plain)).close()
        yield address


@pytest.mark.s3
def test_a_store_that_may_only_be_read_is_listed_verified_and_read(
    reader_of_s3: str, tmp_path: Path
) -> None:
    assert [row.key for row in listing(reader_of_s3)] == [KEY]
    assert verify_store(reader_of_s3).whole == 1
    store = Store(reader_of_s3, cache=tmp_path / "reader")
    store.prepare()
    store.sweep_drafts()
    ref = store.lookup(KIND, KEY)
    assert ref is not None and (store.path(ref) / "a.txt").read_text() == "payload"


@pytest.mark.s3
def test_what_needs_writing_is_refused_in_one_line(reader_of_s3: str, tmp_path: Path) -> None:
    store = Store(reader_of_s3, cache=tmp_path / "reader")
    with pytest.raises(UserError, match=r"^resources\.store: s3://[^\n]*refused[^\n]*$"):
        put(store, KIND, OTHER)
    with pytest.raises(UserError, match=r"^resources\.store: s3://[^\n]*refused[^\n]*$"):
        Store(f"s3://{BUCKET}/new", cache=tmp_path / "x").prepare()

"""Errors, which foreign code must be able to read: each parses as the standard's message and becomes the right exception."""

import pytest
from scim2_models import (
    Error,
    InvalidFilterException,
    InvalidPathException,
    InvalidSyntaxException,
    InvalidValueException,
    NotFoundException,
    SCIMException,
)

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
NOBODY = "00000000-0000-7000-8000-000000000000"


def refused(answer):
    """Reads an error as a client does."""
    assert answer.headers["content-type"].split(";")[0] == "application/scim+json"
    error = Error.model_validate(answer.json())
    assert error.status == answer.status_code
    assert isinstance(answer.json()["status"], str)
    assert error.detail
    return SCIMException.from_error(error)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("userName", InvalidFilterException),
        ('userName like "a"', InvalidFilterException),
        ('userName eq "a', InvalidFilterException),
        ('(userName eq "a"', InvalidFilterException),
        ("active gt true", InvalidFilterException),
        ('emails[type eq "work"', InvalidFilterException),
        (f"{'(' * 200}active eq true{')' * 200}", InvalidFilterException),
    ],
)
def test_bad_filters(wire, condition, expected):
    assert type(refused(wire.get("/Users", params={"filter": condition}))) is expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", InvalidSyntaxException),
        (b'{"userName": "a", "USERNAME": "b"}', InvalidSyntaxException),
        (b'{"schemas": ["%s"]}' % USER.encode(), InvalidValueException),
        (b'{"schemas": ["%s"], "userName": ""}' % USER.encode(), InvalidValueException),
        (b'{"schemas": ["%s"], "userName": "a", "active": 7}' % USER.encode(), InvalidValueException),
        (b'{"schemas": ["%s"], "userName": "a", "emails": {"value": {}}}' % USER.encode(), InvalidValueException),
    ],
)
def test_bad_bodies(wire, body, expected):
    answer = wire.post("/Users", content=body, headers={"Content-Type": "application/scim+json"})
    assert type(refused(answer)) is expected


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "replace", "path": "emails[", "value": 1}, (InvalidPathException, InvalidFilterException)),
        ({"op": "move", "path": "title", "value": "x"}, (InvalidSyntaxException, InvalidValueException)),
        ({"op": "remove", "path": "userName"}, SCIMException),
    ],
)
def test_bad_patches(scim, wire, User, name, operation, expected):
    somebody = scim.create(User(user_name=name))
    answer = wire.patch(f"/Users/{somebody.id}", json={"schemas": [PATCH], "Operations": [operation]})
    error = refused(answer)
    assert error.status == 400 and isinstance(error, expected)
    assert "perations[0]" in error.detail


@pytest.mark.parametrize("path", [f"/Users/{NOBODY}", f"/Groups/{NOBODY}", "/Users/1", "/Nothing", "/Schemas/urn:none"])
def test_what_is_not_there(wire, path):
    assert isinstance(refused(wire.get(path)), NotFoundException)


def test_a_stranger(wire):
    answer = wire.get("/Users", headers={"Authorization": "Bearer wrong"})
    assert refused(answer).status == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_method_that_is_not_for_this(wire):
    answer = wire.delete("/Users")
    assert refused(answer).status == 405
    assert "GET" in answer.headers["allow"]


def test_a_body_of_another_kind(wire):
    answer = wire.post("/Users", content=b"<user/>", headers={"Content-Type": "text/xml"})
    assert refused(answer).status == 415

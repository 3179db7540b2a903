"""Discovery, read by a client that builds its classes from it."""

import pytest
import scim2_models
from scim2_client import SCIMResponseException
from scim2_models import (
    BulkOperation,
    BulkRequest,
    EnterpriseUser,
    Schema,
    SCIMException,
    SearchRequest,
)

# The extension of our own, which every connection sees.
PSA_USER = "urn:ietf:params:scim:schemas:extension:psa:2.0:User"

# Where our schemas differ from those of scim2-models. Nothing else may.
DIFFERENT = {
    # RFC 7643 section 8.7.1 gives it so. It is compared with nothing anyway.
    scim2_models.User: ["password: case_exact is CaseExact.false, expected CaseExact.true"],
    # Section 4.3 recommends both and demands neither. The URL is ours to make, from the id (S50).
    EnterpriseUser: [
        "manager.value: required is Required.false, expected Required.true",
        "manager.$ref: required is Required.false, expected Required.true",
        "manager.$ref: mutability is readOnly, expected readWrite",
    ],
    # What a member is called comes from the member (S49), and is looked up for those who ask for it only.
    scim2_models.Group: [
        "members.display: mutability is readOnly, expected readWrite",
        "members.display: returned is request, expected default",
    ],
}


def test_a_client_builds_its_classes_from_what_the_server_says(scim, User, Group):
    assert {kind.name for kind in scim.provider.resource_types} == {"User", "Group"}
    assert set(User.get_extension_models()) == {EnterpriseUser.to_schema().id, PSA_USER}
    assert scim.provider.config.patch.supported
    assert scim.provider.config.filter.supported
    assert scim.provider.config.etag.supported
    assert scim.provider.config.filter.max_results > 0
    assert [scheme.type for scheme in scim.provider.config.authentication_schemes] == ["oauthbearertoken"]
    assert Group.to_schema().id == "urn:ietf:params:scim:schemas:core:2.0:Group"


@pytest.mark.parametrize("model", [scim2_models.User, EnterpriseUser, scim2_models.Group])
def test_schemas_are_those_of_the_standard(scim, model):
    """scim2-models holds the schemas of RFC 7643 too: every attribute and each of its characteristics must agree."""
    expected = model.to_schema()
    found = scim.query(Schema, expected.id)
    assert differences(expected.attributes, found.attributes) == DIFFERENT[model]


CHARACTERISTICS = ("type", "multi_valued", "required", "case_exact", "mutability", "returned", "uniqueness")


def differences(expected, found, place=""):
    found_by_name = {attribute.name: attribute for attribute in found or []}
    lines = []
    for attribute in expected or []:
        here = f"{place}{attribute.name}"
        other = found_by_name.pop(attribute.name, None)
        if other is None:
            lines.append(f"{here}: missing")
            continue
        for characteristic in CHARACTERISTICS:
            ours, theirs = getattr(other, characteristic), getattr(attribute, characteristic)
            if ours != theirs:
                lines.append(f"{here}: {characteristic} is {ours}, expected {theirs}")
        lines += differences(attribute.sub_attributes, other.sub_attributes, f"{here}.")
    return lines + [f"{place}{name}: not expected" for name in found_by_name]


def test_what_is_said_of_sorting_is_true(scim, User, name):
    for ending in ("b", "a", "c"):
        scim.create(User(user_name=f"{name}.{ending}"))
    if not scim.provider.config.sort.supported:
        return
    query = SearchRequest(filter=f'userName sw "{name}"', sort_by="userName", sort_order="descending")
    found = scim.query(User, query_parameters=query)
    assert [user.user_name[-1] for user in found.resources] == ["c", "b", "a"]


def test_what_is_said_of_bulk_is_true(scim, wire, User, name):
    if not scim.provider.config.bulk.supported:
        assert wire.post("/Bulk", json={}).status_code in (404, 501)
        return
    operation = BulkOperation[User](method="POST", path="/Users", bulk_id="one", data=User(user_name=name))
    answer = scim.bulk(BulkRequest[User](operations=[operation]))
    assert [done.status for done in answer.operations] == [201]
    assert scim.query(User, query_parameters=SearchRequest(filter=f'userName eq "{name}"')).total_results == 1


def test_what_is_said_of_cursors_is_true(scim, User, name):
    for ending in range(5):
        scim.create(User(user_name=f"{name}.{ending}"))
    pagination = scim.provider.config.pagination
    if pagination is None or not pagination.cursor:
        return
    seen, cursor = [], ""
    while cursor is not None:
        page = scim.query(
            User, query_parameters=SearchRequest(filter=f'userName sw "{name}"', count=2, cursor=cursor)
        )
        seen += [user.user_name for user in page.resources]
        cursor = page.next_cursor
    assert sorted(seen) == [f"{name}.{ending}" for ending in range(5)]


def test_discovery_is_guarded_like_the_rest(wire):
    for path in ("/ServiceProviderConfig", "/Schemas", "/ResourceTypes"):
        answer = wire.get(path, headers={"Authorization": "Bearer wrong"})
        assert answer.status_code == 401
        assert scim2_models.Error.model_validate(answer.json()).detail


def test_filters_on_discovery_are_refused_as_the_standard_says(scim):
    with pytest.raises((SCIMException, SCIMResponseException)) as refused:
        scim.query(Schema, query_parameters={"filter": 'id pr'})
    assert getattr(refused.value, "status", None) == 403

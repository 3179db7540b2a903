"""Groups and their members, as foreign code sees them."""

import pytest
from scim2_models import NotFoundException, PatchOp, PatchOperation, ResponseParameters, SearchRequest


@pytest.fixture
def people(scim, User, name):
    """Three users."""
    return [scim.create(User(user_name=f"{name}.{number}", display_name=f"P{number}")) for number in range(3)]


@pytest.fixture
def crew(scim, Group, people, name):
    """A group of the first two of them."""
    members = [{"value": person.id} for person in people[:2]]
    return scim.create(Group.model_validate({"schemas": [Group.to_schema().id], "displayName": name, "members": members}))


def members(group):
    return {member.value for member in group.members or []}


def ids(people):
    return {person.id for person in people}


def patch(scim, Group, group, *operations):
    """Patches, and reads: a group's patch is answered without a body."""
    scim.modify(Group, group.id, PatchOp[Group](operations=[PatchOperation(**operation) for operation in operations]))
    return scim.query(Group, group.id)


def test_a_group_has_the_members_it_was_made_with(scim, Group, crew, people, wire):
    read = scim.query(Group, crew.id)
    assert members(read) == members(crew) == ids(people[:2])
    for member in read.members:
        assert member.type == "User"
        assert wire.get(str(member.ref)).json()["id"] == member.value


def test_a_user_says_which_groups_it_is_in(scim, User, Group, crew, people):
    inside, outside = scim.query(User, people[0].id), scim.query(User, people[2].id)
    assert [(group.value, group.display) for group in inside.groups] == [(crew.id, crew.display_name)]
    assert not outside.groups


def test_members_come_and_go(scim, Group, crew, people):
    first, second, third = people
    changed = patch(
        scim,
        Group,
        crew,
        {"op": "remove", "path": f'members[value eq "{first.id}"]'},
        {"op": "add", "path": "members", "value": [{"value": third.id}]},
    )
    assert members(changed) == ids([second, third])
    assert changed.meta.version != crew.meta.version

    assert patch(scim, Group, crew, {"op": "add", "path": "members", "value": [{"value": third.id}]}) == changed
    assert members(patch(scim, Group, crew, {"op": "replace", "path": "members", "value": [{"value": first.id}]})) == {
        first.id
    }
    assert not patch(scim, Group, crew, {"op": "remove", "path": "members"}).members


def test_a_patch_of_a_group_answers_as_the_request_asks(wire, crew, people):
    message = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "add", "path": "members", "value": [{"value": people[2].id}]}],
    }
    silent = wire.patch(f"/Groups/{crew.id}", json=message)
    assert (silent.status_code, silent.content) == (204, b"") and silent.headers["etag"]
    told = wire.patch(f"/Groups/{crew.id}", params={"attributes": "displayName"}, json=message)
    assert told.status_code == 200
    assert told.json()["displayName"] == crew.display_name and "members" not in told.json()


def test_renaming_keeps_the_members(scim, Group, crew, people, name):
    renamed = patch(scim, Group, crew, {"op": "replace", "path": "displayName", "value": f"{name} 2"})
    assert renamed.display_name == f"{name} 2"
    assert members(renamed) == ids(people[:2])


def test_put_replaces_all_members_twice_over(scim, Group, crew, people):
    wanted = scim.query(Group, crew.id)
    wanted.members = wanted.members[:1]
    once = scim.replace(wanted)
    assert members(once) == {wanted.members[0].value}
    assert scim.replace(once) == once


def test_members_are_left_out_where_nobody_wants_them(scim, Group, crew):
    bare = scim.query(Group, crew.id, ResponseParameters(excluded_attributes=["members"]))
    assert bare.members is None and bare.display_name == crew.display_name
    found = scim.query(
        Group,
        query_parameters=SearchRequest(
            filter=f'displayName eq "{crew.display_name}"', excluded_attributes=["members"]
        ),
    )
    assert [(group.id, group.members) for group in found.resources] == [(crew.id, None)]


def test_groups_are_found_by_their_members(scim, Group, crew, people):
    found = scim.query(Group, query_parameters=SearchRequest(filter=f'members.value eq "{people[0].id}"'))
    assert [group.id for group in found.resources] == [crew.id]


def test_groups_within_groups(scim, Group, crew, name):
    outer = scim.create(
        Group.model_validate(
            {"schemas": [Group.to_schema().id], "displayName": f"{name} outer", "members": [{"value": crew.id, "type": "Group"}]}
        )
    )
    assert [(member.value, member.type) for member in outer.members] == [(crew.id, "Group")]


def test_who_is_deleted_is_no_member_any_more(scim, User, Group, crew, people):
    scim.delete(User, people[0].id)
    assert members(scim.query(Group, crew.id)) == {people[1].id}


def test_a_deleted_group_leaves_its_people(scim, User, Group, crew, people):
    scim.delete(Group, crew.id)
    with pytest.raises(NotFoundException):
        scim.query(Group, crew.id)
    assert not scim.query(User, people[0].id).groups

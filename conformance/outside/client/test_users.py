"""Users with the enterprise extension: everything that foreign code does to them, each answer validated by it."""

import pytest
from scim2_models import (
    NotFoundException,
    PatchOp,
    PatchOperation,
    PreconditionFailedException,
    ResponseParameters,
    SearchRequest,
    UniquenessException,
)

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@pytest.fixture
def ada(scim, User, name):
    """Somebody with everything."""
    return scim.create(User.model_validate(body(name)))


def body(name):
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": name,
        "externalId": f"x-{name}",
        "name": {"givenName": "Ada", "familyName": "Byron"},
        "displayName": "Ada Byron",
        "active": True,
        "emails": [
            {"value": f"{name}@acme.test", "type": "work", "primary": True},
            {"value": f"{name}@home.test", "type": "home"},
        ],
        "phoneNumbers": [{"value": "tel:+47-555-0100", "type": "work"}],
        "addresses": [{"locality": "Oslo", "country": "NO", "type": "work"}],
        ENTERPRISE: {"employeeNumber": "7", "department": "R&D", "costCenter": "C-1"},
    }


def extension(user):
    return user[ENTERPRISE]


def test_what_is_created_is_what_is_read(scim, User, ada, name):
    read = scim.query(User, ada.id)
    assert read == ada
    assert read.user_name == name
    assert read.external_id == f"x-{name}"
    assert (read.name.given_name, read.name.family_name) == ("Ada", "Byron")
    assert [(email.type, bool(email.primary)) for email in read.emails] == [("work", True), ("home", False)]
    assert extension(read).department == "R&D"
    assert set(read.schemas) == {"urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE}
    assert read.meta.resource_type == "User"
    assert str(read.meta.location).endswith(f"/Users/{ada.id}")
    assert read.meta.version == ada.meta.version


def test_a_location_leads_to_what_it_names(wire, ada):
    answer = wire.get(str(ada.meta.location))
    assert answer.status_code == 200
    assert answer.json()["id"] == ada.id
    assert answer.headers["etag"] == ada.meta.version


def test_a_second_one_of_the_same_name_is_refused(scim, User, ada, name):
    with pytest.raises(UniquenessException) as refused:
        scim.create(User(user_name=name.upper()))
    assert refused.value.status == 409


@pytest.mark.parametrize(
    "condition",
    [
        'userName eq "{name}"',
        'USERNAME EQ "{NAME}"',
        'externalId eq "x-{name}"',
        'emails.value eq "{name}@acme.test"',
        'emails[type eq "work" and value sw "{name}"]',
        'userName sw "{name}" and active eq true',
        'userName eq "{name}" and not (active eq false)',
        'userName eq "{name}" and meta.created gt "2020-01-01T00:00:00Z"',
        'userName eq "{name}" and urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "R&D"',
        '(userName eq "{name}" or userName eq "nobody") and name.familyName co "yro"',
        'userName eq "{name}" and nickName ne "x" and not (nickName pr)',
    ],
)
def test_filters_find_exactly_whom_they_mean(scim, User, ada, name, condition):
    asked = condition.replace("{name}", name).replace("{NAME}", name.upper())
    found = scim.query(User, query_parameters=SearchRequest(filter=asked))
    assert [user.id for user in found.resources] == [ada.id]
    assert (found.total_results, found.start_index, found.items_per_page) == (1, 1, 1)


def test_a_filter_that_finds_nobody_is_an_empty_list(scim, User, name):
    found = scim.query(User, query_parameters=SearchRequest(filter=f'userName eq "{name}"'))
    assert (found.total_results, found.items_per_page, found.resources or []) == (0, 0, [])


def test_pages_hold_everybody_once(scim, User, name):
    made = [scim.create(User(user_name=f"{name}.{number}")).id for number in range(7)]
    seen = []
    for start in (1, 4, 7, 10):
        page = scim.query(
            User, query_parameters=SearchRequest(filter=f'userName sw "{name}"', start_index=start, count=3)
        )
        assert page.total_results == 7
        assert page.items_per_page == len(page.resources or [])
        seen += [user.id for user in page.resources or []]
    assert seen == made


def test_a_count_of_nothing_still_says_how_many_there_are(scim, User, ada, name):
    page = scim.query(User, query_parameters=SearchRequest(filter=f'userName eq "{name}"', count=0))
    assert (page.total_results, page.resources or []) == (1, [])


def test_only_what_was_asked_for_comes_back(scim, User, ada):
    some = scim.query(User, ada.id, ResponseParameters(attributes=["userName", "emails.value"]))
    assert some.id == ada.id and some.user_name == ada.user_name
    assert [email.value for email in some.emails] == [email.value for email in ada.emails]
    assert all(email.type is None for email in some.emails)
    assert some.display_name is None and some.name is None

    rest = scim.query(User, ada.id, ResponseParameters(excluded_attributes=["emails", "name.familyName"]))
    assert rest.emails is None and rest.display_name == ada.display_name
    assert rest.name.family_name is None and rest.name.given_name == "Ada"


def test_patch_changes_what_it_names_and_nothing_else(scim, User, ada):
    changed = scim.modify(
        User,
        ada.id,
        PatchOp[User](
            operations=[
                PatchOperation(op="replace", path="displayName", value="Ada King"),
                PatchOperation(op="add", path="nickName", value="Countess"),
                PatchOperation(op="remove", path='emails[type eq "home"]'),
                PatchOperation(op="replace", path='emails[type eq "work"].display', value="Office"),
                PatchOperation(op="replace", path=f"{ENTERPRISE}:department", value="Engines"),
                PatchOperation(op="remove", path=f"{ENTERPRISE}:costCenter"),
            ]
        ),
    )
    assert changed == scim.query(User, ada.id)
    assert (changed.display_name, changed.nick_name) == ("Ada King", "Countess")
    assert [(email.type, email.display) for email in changed.emails] == [("work", "Office")]
    assert extension(changed).department == "Engines"
    assert extension(changed).cost_center is None
    assert extension(changed).employee_number == "7"
    assert changed.name == ada.name
    assert changed.meta.version != ada.meta.version
    assert changed.meta.created == ada.meta.created


def test_the_same_patch_again_changes_no_version(scim, User, ada):
    patch = PatchOp[User](operations=[PatchOperation(op="replace", path="title", value="Engineer")])
    first = scim.modify(User, ada.id, patch)
    again = scim.modify(User, ada.id, patch)
    assert again.meta == first.meta


def test_a_patch_with_one_bad_operation_changes_nothing(scim, User, ada):
    operations = [
        {"op": "replace", "path": "displayName", "value": "Gone"},
        {"op": "replace", "path": "userName", "value": ""},
    ]
    message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}
    error = scim.modify(User, ada.id, message, check_request_payload=False, raise_scim_errors=False)
    assert (error.status, error.scim_type) in ((400, "invalidValue"), (400, "mutability"))
    assert scim.query(User, ada.id) == ada


def test_putting_back_what_was_read_changes_nothing(scim, User, ada):
    assert scim.replace(scim.query(User, ada.id)) == ada


def test_put_replaces(scim, User, ada):
    wanted = scim.query(User, ada.id)
    wanted.display_name = "Ada King"
    wanted.emails = wanted.emails[:1]
    wanted[ENTERPRISE].division = "North"
    replaced = scim.replace(wanted)
    assert replaced == scim.query(User, ada.id)
    assert replaced.display_name == "Ada King"
    assert len(replaced.emails) == 1
    assert extension(replaced).division == "North"


def test_who_writes_over_a_newer_version_is_told(scim, User, ada):
    old = scim.query(User, ada.id)
    scim.modify(User, ada.id, PatchOp[User](operations=[PatchOperation(op="add", path="title", value="Dr")]))
    old.display_name = "Stale"
    with pytest.raises(PreconditionFailedException):
        scim.replace(old)
    assert scim.query(User, ada.id).display_name == ada.display_name


def test_an_unchanged_user_is_not_sent_again(scim, wire, ada):
    answer = wire.get(f"/Users/{ada.id}", headers={"If-None-Match": ada.meta.version})
    assert (answer.status_code, answer.content) == (304, b"")
    assert scim.query(ada) is ada


def test_a_manager_is_answered_as_an_object(scim, User, ada, name):
    boss = scim.create(User(user_name=f"{name}.boss", display_name="Boss"))
    operation = PatchOperation(op="add", path=f"{ENTERPRISE}:manager", value={"value": boss.id})
    managed = scim.modify(User, ada.id, PatchOp[User](operations=[operation]))
    assert extension(managed).manager.value == boss.id


def test_who_left_is_gone(scim, User, ada, name):
    assert scim.delete(User, ada.id) is None
    for ask in (lambda: scim.query(User, ada.id), lambda: scim.delete(User, ada.id)):
        with pytest.raises(NotFoundException):
            ask()
    assert scim.query(User, query_parameters=SearchRequest(filter=f'userName eq "{name}"')).total_results == 0
    assert scim.create(User(user_name=name)).id != ada.id


def test_a_password_is_taken_and_never_shown(scim, wire, User, name):
    made = wire.post("/Users", json={"schemas": [User.to_schema().id], "userName": name, "password": "s3cret-s3cret"})
    assert made.status_code == 201
    identity = made.json()["id"]
    asked = wire.get(f"/Users/{identity}", params={"attributes": "password,userName"})
    assert "password" not in made.json() and "password" not in asked.json()
    assert "s3cret" not in made.text + asked.text

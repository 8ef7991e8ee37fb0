"""Charts to files: names, order, kustomizations. The charts here are plain lists of objects."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import pytest

from synth import DefinitionError
from synth.manifest import Document, dump
from synth.tree import Folder, Page, Tree, Versioned, header, is_generated, patched, render

MODULE = "tests/synth/test_tree.py"
EXTERNAL = Versioned("# Version: 1", "make components")


class Unwritable:
    """A chart of which cdk8s says `said` instead of giving its objects."""

    def __init__(self, said: str) -> None:
        self.said = said

    def to_json(self) -> list[Any]:
        raise RuntimeError(self.said)


class Listed:
    """A chart that gives the objects it was made with."""

    def __init__(self, *documents: Document) -> None:
        self.documents = documents

    def to_json(self) -> list[Any]:
        return list(self.documents)


def thing(kind: str, name: str = "wiki") -> Document:
    return {"kind": kind, "metadata": {"name": name}, "apiVersion": "v1"}


def flux_kustomization(name: str) -> Document:
    return {"kind": "Kustomization", "metadata": {"name": name}, "apiVersion": "kustomize.toolkit.fluxcd.io/v1"}


def rendered(*folders: Folder) -> Tree:
    return render("deploy", folders, "charts/__init__.py", "1.35")


def names(tree: Tree) -> list[str]:
    return [path.rpartition("/")[2] for path in tree.files]


def resources(tree: Tree, path: str) -> Sequence[str]:
    listed: list[str] = tree.files[f"deploy/{path}"].documents[0]["resources"]
    return listed


def test_a_file_is_named_by_its_kind_in_lower_case() -> None:
    tree = rendered(Folder("apps/wiki", Listed(thing("Deployment"), thing("VirtualService"))))
    assert names(tree)[:2] == ["deployment.yaml", "virtualservice.yaml"]


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("PersistentVolumeClaim", "pvc.yaml"),
        ("HorizontalPodAutoscaler", "hpa.yaml"),
        ("PodDisruptionBudget", "pdb.yaml"),
    ],
)
def test_kinds_with_a_short_name_that_everyone_says_go_by_it(kind: str, file: str) -> None:
    assert names(rendered(Folder("apps/wiki", Listed(thing(kind)))))[0] == file


def test_the_name_is_added_where_a_kind_repeats() -> None:
    tree = rendered(Folder("apps/wiki", Listed(thing("Service", "one"), thing("Service", "two"), thing("Namespace"))))
    assert names(tree)[:3] == ["namespace.yaml", "service-one.yaml", "service-two.yaml"]


def test_a_colon_in_a_name_does_not_reach_the_file_system() -> None:
    tree = rendered(Folder("apps/wiki", Listed(thing("ClusterRole", "system:a"), thing("ClusterRole", "b"))))
    assert names(tree)[:2] == ["clusterrole-system-a.yaml", "clusterrole-b.yaml"]


def test_two_objects_that_want_one_file_are_an_error_naming_both() -> None:
    with pytest.raises(DefinitionError) as error:
        rendered(Folder("apps/wiki", Listed(thing("ClusterRole", "a:b"), thing("ClusterRole", "a-b"))))
    assert str(error.value) == (
        "apps/wiki: ClusterRole a-b and ClusterRole a:b both want the file clusterrole-a-b.yaml: "
        f"give one of them another name ({MODULE})"
    )


def test_a_kustomization_of_flux_does_not_take_the_place_of_the_folders_own() -> None:
    tree = rendered(Folder("apps/wiki", Listed(flux_kustomization("extra"))))
    assert names(tree)[:2] == ["kustomization-extra.yaml", "kustomization.yaml"]
    assert [str(item) for item in tree.objects()] == ["Kustomization extra"]
    with pytest.raises(DefinitionError, match=r"deploy/apps/wiki/kustomization.yaml is wanted twice"):
        rendered(Folder("apps/wiki", Listed(thing("Service")), {"Service/wiki": "kustomization.yaml"}))


def test_two_charts_may_not_share_a_folder_and_a_chart_may_not_take_the_file_of_others() -> None:
    with pytest.raises(DefinitionError, match=rf"wanted twice, by {MODULE} and by {MODULE}"):
        rendered(Folder("apps/wiki", Listed(thing("Service"))), Folder("apps/wiki", Listed(thing("Namespace"))))
    with pytest.raises(DefinitionError, match=r"components.yaml is wanted twice, by a file of others and by"):
        rendered(
            Folder(
                "flux",
                Listed(thing("Service")),
                {"Service/wiki": "components.yaml"},
                external={"components.yaml": EXTERNAL},
            )
        )


@pytest.mark.parametrize("path", ["apps/Graph Wiki", "apps/wiki/../x", "apps/-x", "apps//x", "/apps"])
def test_a_folder_has_a_name_for_every_file_system(path: str) -> None:
    with pytest.raises(DefinitionError, match=r"is no folder for deploy/: use lower case letters"):
        rendered(Folder(path, Listed(thing("Service"))))


def test_patches_go_into_the_kustomization() -> None:
    patch = {"target": {"kind": "Namespace"}, "patch": "kind: Namespace\n"}
    tree = rendered(Folder("flux", Listed(), patches=[patch]))
    assert tree.files["deploy/flux/kustomization.yaml"].documents[0]["patches"] == [patch]


def annotating(kind: str, **annotations: str) -> Document:
    return {"target": {"kind": kind}, "patch": dump([{"kind": kind, "metadata": {"annotations": annotations}}])}


def appending(name: str, value: str) -> Document:
    target = {"kind": "Deployment", "name": name}
    return {"target": target, "patch": dump([[{"op": "add", "path": "/spec/args/-", "value": value}]])}


def test_an_object_is_as_the_patches_of_its_folder_make_it() -> None:
    given = {"kind": "Deployment", "metadata": {"name": "b-controller"}, "spec": {"args": ["--first"]}}
    before = deepcopy(given)
    patches = [
        annotating("Deployment", kept="yes"),
        annotating("Namespace", other="yes"),
        appending("(a|b)-controller", "--second"),
        appending("b-controller", "--third"),
        appending("b", "--never"),
    ]
    assert patched(given, {"patches": patches}) == {
        "kind": "Deployment",
        "metadata": {"name": "b-controller", "annotations": {"kept": "yes"}},
        "spec": {"args": ["--first", "--second", "--third"]},
    }
    assert given == before
    assert patched(given, {}) is given


def test_given_file_names_are_kept_and_may_be_shared() -> None:
    given = {"GitRepository/x": "sync.yaml", "Kustomization/x": "sync.yaml"}
    tree = rendered(Folder("flux", Listed(thing("GitRepository", "x"), flux_kustomization("x")), given))
    assert [document["kind"] for document in tree.files["deploy/flux/sync.yaml"].documents] == [
        "GitRepository",
        "Kustomization",
    ]


def test_a_folder_lists_its_files_in_apply_order_with_external_ones_first() -> None:
    chart = Listed(thing("VirtualService"), thing("Deployment"), thing("Unheard"), thing("Namespace"), thing("Service"))
    tree = rendered(Folder("apps/wiki", chart, external={"components.yaml": EXTERNAL}))
    assert resources(tree, "apps/wiki/kustomization.yaml") == [
        "components.yaml",
        "namespace.yaml",
        "deployment.yaml",
        "service.yaml",
        "virtualservice.yaml",
        "unheard.yaml",
    ]
    assert tree.external == {"deploy/apps/wiki/components.yaml": EXTERNAL}
    assert "deploy/apps/wiki/components.yaml" not in tree.files


def test_the_folders_above_list_their_folders_in_order() -> None:
    tree = rendered(
        Folder("flux/system", Listed()), Folder("apps/b", Listed()), Folder("apps/a", Listed(thing("Service")))
    )
    assert resources(tree, "apps/kustomization.yaml") == ["b", "a"]
    assert resources(tree, "flux/kustomization.yaml") == ["system"]
    assert "deploy/kustomization.yaml" not in tree.files


def test_a_file_says_in_its_first_line_where_it_comes_from() -> None:
    tree = rendered(Folder("apps/wiki", Listed(thing("Service"))))
    text = tree.files["deploy/apps/wiki/service.yaml"].text()
    assert text == (
        f"# Generated from {MODULE} by `cdk8s synth`. Change that, not this file.\n"
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: wiki\n"
    )
    assert tree.files["deploy/apps/kustomization.yaml"].text().startswith(header("charts/__init__.py"))


@pytest.mark.parametrize("text", ["", "# my notes\n", "apiVersion: v1\n", "\n# Generated from a.py by `cdk8s synth`"])
def test_other_files_are_not_taken_for_generated_ones(text: str) -> None:
    assert not is_generated(text)


def test_a_page_says_so_in_a_comment_and_has_no_objects() -> None:
    page = Page("# Wiki\n", MODULE)
    assert page.text() == f"<!-- {header(MODULE)[2:-1]} -->\n\n# Wiki\n"
    assert is_generated(page.text())
    assert list(Tree({"deploy/README.md": page}).objects()) == []


def test_rendering_twice_gives_the_same_bytes() -> None:
    folder = Folder("apps/wiki", Listed({**thing("Service"), "spec": {"b": {"z": 1, "a": 2}, "a": [3, 1]}}))
    first, second = rendered(folder), rendered(folder)
    assert {path: file.text() for path, file in first.files.items()} == {
        path: file.text() for path, file in second.files.items()
    }


def test_objects_are_all_but_the_kustomizations_with_their_module_and_folder() -> None:
    tree = rendered(Folder("apps/wiki", Listed(thing("Service"), thing("Namespace"))))
    assert [(str(item), item.source, item.folder) for item in tree.objects()] == [
        ("Namespace wiki", MODULE, "deploy/apps/wiki"),
        ("Service wiki", MODULE, "deploy/apps/wiki"),
    ]


def test_two_environments_may_not_share_a_path() -> None:
    tree = rendered(Folder("apps/wiki", Listed(thing("Service"))))
    with pytest.raises(DefinitionError, match=r"deploy/apps/wiki/service.yaml belongs to two environments"):
        tree | tree


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "Error: Failed serializing construct at path 'wiki/deployment-wiki' with name 'wiki': TypeError: no x\n"
            "    at ApiObject.toJson (/lib/api-object.js:164:19)",
            "apps/wiki: deployment-wiki, called wiki, cannot be written down by cdk8s, TypeError: no x (",
        ),
        (
            "TypeError: obj.ports?.map is not a function",
            "apps/wiki: an object cannot be written down by cdk8s, TypeError: obj.",
        ),
    ],
)
def test_what_cdk8s_cannot_write_down_is_told_with_its_chart(said: str, sentence: str) -> None:
    with pytest.raises(DefinitionError) as told:
        rendered(Folder("apps/wiki", Unwritable(said)))
    assert str(told.value).startswith(sentence)
    assert str(told.value).endswith("(tests/synth/test_tree.py)")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("key", ["apiVersion", "kind", "metadata"])
def test_an_object_that_has_lost_what_every_one_has_is_told(key: str) -> None:
    lost = {name: value for name, value in thing("Service").items() if name != key}
    with pytest.raises(DefinitionError, match=rf"^apps/wiki: .+ has lost its {key}: look at what is patched there"):
        rendered(Folder("apps/wiki", Listed(lost)))

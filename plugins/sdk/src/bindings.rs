//! What `wit-bindgen` makes of the contract: its types, the functions of the host, and what a component exports.
//!
//! The types stand once, in [`contract`]. Each interface that a plugin may export is a world of its own here (`exported`), so that a plugin
//! exports what it has and nothing else; the linker joins the worlds of all that are exported. Nothing but the options is written by hand.

/// The types and the host's functions.
#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "generated"
)]
pub mod contract {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package rosterd:guest; world contract { import rosterd:plugin/host@0.1.0; import rosterd:plugin/types@0.1.0; }",
        generate_all,
        runtime_path: "::wit_bindgen::rt",
        additional_derives: [PartialEq, ::serde::Serialize, ::serde::Deserialize],
        // As a vector has them (docs/plugins/reference.md), which is as JavaScript sees them.
        additional_type_attributes: {
            "rosterd:plugin/types@0.1.0/operation": [#[serde(rename_all = "kebab-case")]],
            "rosterd:plugin/types@0.1.0/context": [#[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/group-ref": [#[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/user": [#[derive(Default)] #[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/origin": [#[serde(rename_all = "kebab-case")]],
            "rosterd:plugin/types@0.1.0/held": [#[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/user-type-choice": [#[derive(Default)] #[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/rate": [#[derive(Default)] #[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/employment": [#[derive(Default)] #[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/psa": [#[derive(Default)] #[serde(default, rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/assignment": [#[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/change": [#[serde(tag = "tag", content = "val", rename_all = "kebab-case")]],
            "rosterd:plugin/types@0.1.0/problem-kind": [#[serde(rename_all = "kebab-case")]],
            "rosterd:plugin/types@0.1.0/problem": [#[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/severity": [#[serde(rename_all = "kebab-case")]],
            "rosterd:plugin/types@0.1.0/finding": [#[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/claim": [#[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/verdict": [#[serde(tag = "tag", content = "val", rename_all = "kebab-case")]],
            "rosterd:plugin/types@0.1.0/event": [#[serde(rename_all = "camelCase", deny_unknown_fields)]],
            "rosterd:plugin/types@0.1.0/note": [#[serde(rename_all = "camelCase", deny_unknown_fields)]],
        },
        additional_member_attributes: {
            "rosterd:plugin/types@0.1.0/user.extra": [#[serde(with = "crate::json_text")]],
            "rosterd:plugin/types@0.1.0/user.shadow": [#[serde(with = "crate::json_text")]],
            "rosterd:plugin/types@0.1.0/assignment.json": [#[serde(with = "crate::json_text")]],
            "rosterd:plugin/types@0.1.0/claim.json": [#[serde(with = "crate::json_text")]],
        },
    });
}

/// Makes a module for each interface that a plugin may export: its name, the macro that exports it, and the world that has nothing else. `generate!`
/// takes texts only as they stand, so that each is written out.
macro_rules! exported {
    ($($name:ident: $export:tt of $world:tt;)*) => {$(
        #[doc = concat!("What exports `", stringify!($name), "`.")]
        #[doc(hidden)]
        #[allow(
            missing_docs,
            unsafe_code,
            unused_imports,
            unused_qualifications,
            clippy::all,
            clippy::pedantic,
            clippy::indexing_slicing,
            clippy::panic,
            reason = "generated"
        )]
        pub mod $name {
            wit_bindgen::generate!({
                path: "wit",
                inline: $world,
                with: { "rosterd:plugin/types@0.1.0": crate::bindings::contract::rosterd::plugin::types },
                runtime_path: "::rosterd_plugin::__private::rt",
                pub_export_macro: true,
                export_macro_name: $export,
            });
        }
    )*};
}

exported! {
    lifecycle: "export_lifecycle" of "package rosterd:guest; world lifecycle-only { export rosterd:plugin/lifecycle@0.1.0; }";
    mapper: "export_mapper" of "package rosterd:guest; world mapper-only { export rosterd:plugin/mapper@0.1.0; }";
    validator: "export_validator" of "package rosterd:guest; world validator-only { export rosterd:plugin/validator@0.1.0; }";
    gate: "export_gate" of "package rosterd:guest; world gate-only { export rosterd:plugin/gate@0.1.0; }";
    claims: "export_claims" of "package rosterd:guest; world claims-only { export rosterd:plugin/claims@0.1.0; }";
    reactor: "export_reactor" of "package rosterd:guest; world reactor-only { export rosterd:plugin/reactor@0.1.0; }";
}

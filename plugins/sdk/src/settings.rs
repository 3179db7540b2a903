//! Settings: parsed once, described by their schema.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;

use crate::Problem;

/// Reads settings; what is wrong names the member, as `levels[2].title`.
pub(crate) fn parse<S: DeserializeOwned>(text: &str) -> Result<S, Problem> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let settings = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let member = error.path().to_string();
        Problem::configuration(&member, error.inner().to_string())
    })?;
    reader.end().map_err(|error| Problem::configuration(".", error.to_string()))?;
    Ok(settings)
}

/// Describes settings as a JSON Schema (2020-12).
pub(crate) fn schema<S: JsonSchema>() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<S>();
    schema.as_value().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ProblemKind;

    #[derive(Debug, serde::Deserialize, serde::Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Settings {
        /// The levels.
        levels: Vec<Level>,
    }

    #[derive(Debug, serde::Deserialize, serde::Serialize, JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Level {
        title: String,
    }

    #[test]
    fn a_wrong_setting_is_named_by_its_path() {
        let problem = parse::<Settings>(r#"{"levels": [{"title": "a"}, {"title": 2}]}"#).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Configuration);
        assert_eq!(problem.path.as_deref(), Some("levels[1].title"));
        assert!(problem.detail.contains("expected a string"), "{}", problem.detail);
    }

    #[test]
    fn a_misspelt_setting_is_an_error() {
        let problem = parse::<Settings>(r#"{"levels": [], "level": 1}"#).unwrap_err();
        assert!(problem.detail.contains("unknown field `level`"), "{}", problem.detail);
        assert!(parse::<Settings>(r#"{"levels": []} x"#).is_err());
    }

    #[test]
    fn the_schema_says_what_the_members_mean() {
        let schema: serde_json::Value = serde_json::from_str(&schema::<Settings>()).unwrap();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["properties"]["levels"]["description"], "The levels.");
        assert_eq!(schema["additionalProperties"], false);
    }
}

//! Lists in one cell: elements between semicolons, their parts between at signs; a backslash before either means the sign itself.

/// Splits a cell at a sign that has no backslash before it. What is left is still escaped.
pub fn split(text: &str, sign: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let Some(part) = parts.last_mut() else { break };
        if character == '\\' {
            part.push(character);
            part.extend(characters.next());
        } else if character == sign {
            parts.push(String::new());
        } else {
            part.push(character);
        }
    }
    parts
}

/// Takes the backslashes out.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.trim().chars();
    while let Some(character) = characters.next() {
        if character == '\\' {
            out.extend(characters.next());
        } else {
            out.push(character);
        }
    }
    out
}

/// The elements of a cell, each with its parts. Empty elements are none.
pub fn elements(text: &str) -> Vec<Vec<String>> {
    split(text, ';')
        .iter()
        .filter(|element| !element.trim().is_empty())
        .map(|element| split(element, '@').iter().map(|part| plain(part)).collect())
        .collect()
}

/// Puts backslashes in front of what would be taken for a sign.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | ';' | '@') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

/// Writes an element from its parts; empty ones at its end are left out.
pub fn element(parts: &[&str]) -> String {
    let filled = parts.iter().rposition(|part| !part.is_empty()).map_or(0, |last| last.saturating_add(1));
    parts.iter().take(filled).map(|part| escaped(part)).collect::<Vec<_>>().join("@")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_as_a_list_is_read_as_the_same_list() {
        let hostile = ["a;b", "c@d", "e\\", "\\;", "ü"];
        let cell = hostile.map(|name| element(&[name, "", "N@S"])).join(";");
        let read = elements(&cell);
        assert_eq!(read.len(), hostile.len());
        for (parts, name) in read.iter().zip(hostile) {
            assert_eq!(parts, &[name, "", "N@S"]);
        }
        assert_eq!(element(&["a", "", ""]), "a");
        assert_eq!(elements(" a ; ;b@ c"), [vec!["a"], vec!["b", "c"]]);
    }
}

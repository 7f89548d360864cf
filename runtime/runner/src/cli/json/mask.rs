//! `google.protobuf.FieldMask`: paths in lower camel case, separated by commas.

/// Reads the paths, in snake case.
pub(super) fn read(text: &str) -> Option<Vec<String>> {
    match text {
        "" => Some(Vec::new()),
        text => text.split(',').map(snake_case).collect(),
    }
}

/// `fooBar.baz` as `foo_bar.baz`.
fn snake_case(path: &str) -> Option<String> {
    let mut snake = String::new();
    for character in path.chars() {
        match character {
            'A'..='Z' => snake.extend(['_', character.to_ascii_lowercase()]),
            'a'..='z' | '0'..='9' | '.' => snake.push(character),
            _ => return None,
        }
    }
    (!path.is_empty()).then_some(snake)
}

/// # Errors
/// If a path does not survive the conversion to camel case and back.
pub(super) fn write(paths: &[String]) -> Result<String, String> {
    let camel = |path: &String| {
        camel_case(path)
            .filter(|camel| snake_case(camel).as_ref() == Some(path))
            .ok_or_else(|| format!("the path {path:?} of the field mask has no lower camel case form"))
    };
    Ok(paths.iter().map(camel).collect::<Result<Vec<_>, _>>()?.join(","))
}

fn camel_case(path: &str) -> Option<String> {
    let mut camel = String::new();
    let mut raised = false;
    for character in path.chars() {
        match character {
            '_' if raised => return None,
            '_' => raised = true,
            'a'..='z' if raised => {
                camel.push(character.to_ascii_uppercase());
                raised = false;
            }
            _ if raised => return None,
            _ => camel.push(character),
        }
    }
    (!raised).then_some(camel)
}

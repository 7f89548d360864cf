/// The commands of a block, each as its words: lines, with those that end in `\` joined to the next, without comments,
/// the prompt `$` and a `&` at the end.
pub(crate) fn commands(block: &str) -> Vec<Vec<String>> {
    let joined = block.replace("\\\n", " ");
    joined.lines().map(words).filter(|words| !words.is_empty()).collect()
}

/// The words of a line, as a shell takes them apart: quotes, spaces and comments, and nothing more.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "a quote is open at the end of {line:?}");
    words.extend(word);
    if words.first().is_some_and(|first| first == "$") {
        words.remove(0);
    }
    words.pop_if(|last| last == "&");
    words
}

/// The variable that keeps what a command prints, and the command: `NAME=$(command …)`.
pub(crate) fn assigned(words: &[String]) -> Option<(String, Vec<String>)> {
    let (name, first) = words.first()?.split_once("=$(")?;
    let mut command = words.to_vec();
    command[0] = first.to_owned();
    let last = command.last_mut()?;
    *last = last.strip_suffix(')')?.to_owned();
    Some((name.to_owned(), command))
}

/// The arguments of the node, where the words call it.
pub(crate) fn of_node(words: &[String]) -> Option<&[String]> {
    const CALLS: [&[&str]; 2] = [&["polywire-node"], &["cargo", "run", "--release", "--"]];
    let call = CALLS
        .iter()
        .find(|call| words.len() >= call.len() && words.iter().zip(**call).all(|(a, b)| a == b))?;
    Some(&words[call.len()..])
}

#[test]
fn a_block_is_taken_apart_as_a_shell_does() {
    let block = "$ polywire-node call 'a://b?c' \\\n  M '{\"x\": \"\"}' # and more\n\n# nothing\npolywire-node serve &\n";
    let commands = commands(block);
    assert_eq!(commands[0], ["polywire-node", "call", "a://b?c", "M", "{\"x\": \"\"}"]);
    assert_eq!(of_node(&commands[1]).unwrap(), ["serve"]);
    assert_eq!(commands.len(), 2);
    let (name, command) = assigned(&words("TOKEN=$(polywire-node invite --for 1h)")).unwrap();
    assert_eq!(
        (&*name, of_node(&command).unwrap()),
        ("TOKEN", &["invite", "--for", "1h"].map(str::to_owned)[..])
    );
}

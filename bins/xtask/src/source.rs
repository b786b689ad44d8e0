//! Rust sources, told apart into code and comments without parsing them.

#[cfg(test)]
mod tests;

/// One line. Strings and characters keep their quotes in the code and lose their content, so that
/// a word in a message is never taken for code or for a comment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    /// What the compiler sees.
    pub(crate) code: String,
    /// The text of comments, doc comments included.
    pub(crate) comment: String,
    /// What stands in strings and characters.
    pub(crate) quoted: String,
}

/// Splits a source into its lines.
pub(crate) fn lines(text: &str) -> Vec<Line> {
    let mut scanner = Scanner {
        rest: text,
        state: State::Code,
        lines: vec![Line::default()],
    };
    while scanner.step() {}
    scanner.lines
}

/// The code of every line, without items under `#[cfg(test)]`.
pub(crate) fn production(lines: &[Line]) -> Vec<String> {
    let code: Vec<&str> = lines.iter().map(|line| line.code.as_str()).collect();
    let mut code = code.join("\n");
    while let Some(start) = code.find(TEST_ATTRIBUTE) {
        let end = start + item_length(&code[start..]);
        let blank: String = code[start..end]
            .chars()
            .map(|c| if c == '\n' { c } else { ' ' })
            .collect();
        code.replace_range(start..end, &blank);
    }
    code.split('\n').map(str::to_owned).collect()
}

/// The identifiers and keywords of a piece of code.
pub(crate) fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !is_word(c))
        .filter(|word| !word.is_empty())
}

/// The words of a piece of code and every other character that is not white space, in order.
pub(crate) fn tokens(code: &str) -> Vec<&str> {
    let mut rest = code.trim_start();
    let mut tokens = Vec::new();
    while let Some(c) = rest.chars().next() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (token, after) = rest.split_at(if word == 0 { c.len_utf8() } else { word });
        tokens.push(token);
        rest = after.trim_start();
    }
    tokens
}

/// The attribute that marks a test's item.
const TEST_ATTRIBUTE: &str = "#[cfg(test)]";

/// Bytes of the item that begins here, attributes included: up to the `;` or the closing brace
/// that ends it.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            '}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[derive(Clone, Copy)]
enum State {
    Code,
    LineComment,
    BlockComment { depth: usize },
    Text,
    RawText { hashes: usize },
}

struct Scanner<'a> {
    rest: &'a str,
    state: State,
    lines: Vec<Line>,
}

impl Scanner<'_> {
    /// Takes what comes next; false at the end.
    fn step(&mut self) -> bool {
        let Some(c) = self.rest.chars().next() else {
            return false;
        };
        if c == '\n' {
            self.rest = &self.rest[1..];
            self.lines.push(Line::default());
            if matches!(self.state, State::LineComment) {
                self.state = State::Code;
            }
            return true;
        }
        match self.state {
            State::Code => self.code(c),
            State::LineComment => self.comment(c.len_utf8()),
            State::BlockComment { depth } => self.block(depth, c),
            State::Text if c == '\\' => self.escape(),
            State::Text if c == '"' => self.close(1),
            State::RawText { hashes } if self.closes_raw(hashes) => self.close(1 + hashes),
            State::Text | State::RawText { .. } => self.take_quoted(c.len_utf8()),
        }
        true
    }

    fn code(&mut self, c: char) {
        if self.rest.starts_with("//") {
            self.state = State::LineComment;
            self.rest = &self.rest[2..];
        } else if self.rest.starts_with("/*") {
            self.state = State::BlockComment { depth: 1 };
            self.rest = &self.rest[2..];
        } else if c == '"' {
            self.state = State::Text;
            self.take_code(1);
        } else if let Some(hashes) = self.opens_raw() {
            self.state = State::RawText { hashes };
            self.take_code(hashes + 2);
        } else if c == '\'' {
            self.quoted(quoted_length(self.rest));
        } else {
            self.take_code(c.len_utf8());
        }
    }

    fn block(&mut self, depth: usize, c: char) {
        if self.rest.starts_with("*/") {
            self.rest = &self.rest[2..];
            self.state = match depth {
                1 => State::Code,
                _ => State::BlockComment { depth: depth - 1 },
            };
        } else if self.rest.starts_with("/*") {
            self.rest = &self.rest[2..];
            self.state = State::BlockComment { depth: depth + 1 };
        } else {
            self.comment(c.len_utf8());
        }
    }

    fn comment(&mut self, bytes: usize) {
        self.take(bytes, |line| &mut line.comment);
    }

    fn take_code(&mut self, bytes: usize) {
        self.take(bytes, |line| &mut line.code);
    }

    fn take_quoted(&mut self, bytes: usize) {
        self.take(bytes, |line| &mut line.quoted);
    }

    fn take(&mut self, bytes: usize, part: fn(&mut Line) -> &mut String) {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        if let Some(line) = self.lines.last_mut() {
            part(line).push_str(taken);
        }
    }

    /// A lifetime's quote, or a character literal, which loses its content as strings do.
    fn quoted(&mut self, bytes: usize) {
        self.take_code(1);
        if bytes > 1 {
            self.take_quoted(bytes - 2);
            self.take_code(1);
        }
    }

    fn close(&mut self, bytes: usize) {
        self.state = State::Code;
        self.take_code(bytes);
    }

    /// A backslash and what it escapes, but for a line's end.
    fn escape(&mut self) {
        let escaped = self.rest.chars().nth(1).filter(|c| *c != '\n');
        self.take_quoted(1 + escaped.map_or(0, char::len_utf8));
    }

    /// The number of hashes of a raw string that opens here.
    fn opens_raw(&self) -> Option<usize> {
        let after = self.rest.strip_prefix('r')?;
        let before = self.lines.last().and_then(|line| line.code.chars().last());
        if before.is_some_and(|c| is_word(c) && c != 'b' && c != 'c') {
            return None;
        }
        let hashes = after.len() - after.trim_start_matches('#').len();
        after[hashes..].starts_with('"').then_some(hashes)
    }

    fn closes_raw(&self, hashes: usize) -> bool {
        self.rest
            .strip_prefix('"')
            .is_some_and(|after| after.bytes().take_while(|byte| *byte == b'#').count() >= hashes)
    }
}

/// Bytes of the character literal that begins here, or of a lifetime's quote.
fn quoted_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        // The escaped character may itself be a quote.
        Some((_, '\\')) => {
            chars.next();
            chars.find(|(_, c)| *c == '\'').map_or(1, |(at, _)| at + 1)
        }
        Some(_) => chars
            .next()
            .filter(|(_, c)| *c == '\'')
            .map_or(1, |(at, _)| at + 1),
        None => 1,
    }
}

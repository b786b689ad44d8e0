//! SPDX licence expressions: `OR`, `AND`, `WITH` and parentheses.

use anyhow::{Result, bail, ensure};
use std::fmt;

/// Parentheses within parentheses: real expressions have two.
const DEPTH_MAX: usize = 16;

/// One expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// A licence, with its exception where it has one.
    Licence(String),
    /// All of them bind.
    All(Vec<Self>),
    /// The taker chooses one.
    Any(Vec<Self>),
}

impl Expression {
    /// Reads an expression. A slash, which old manifests use, is `OR`.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let spaced = text
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace('/', " OR ");
        let mut tokens = Tokens {
            rest: spaced.split_whitespace().collect(),
            depth: 0,
        };
        tokens.rest.reverse();
        let expression = tokens.any()?;
        match tokens.rest.last() {
            Some(rest) => bail!("`{rest}` does not belong there"),
            None => Ok(expression),
        }
    }

    /// Whether some choice binds to allowed licences only.
    pub(super) fn is_met_by(&self, allowed: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Licence(licence) => allowed(licence),
            Self::All(parts) => parts.iter().all(|part| part.is_met_by(allowed)),
            Self::Any(parts) => parts.iter().any(|part| part.is_met_by(allowed)),
        }
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, operator) = match self {
            Self::Licence(licence) => return f.write_str(licence),
            Self::All(parts) => (parts, " AND "),
            Self::Any(parts) => (parts, " OR "),
        };
        for (at, part) in parts.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { operator })?;
            match part {
                Self::Any(_) | Self::All(_) => write!(f, "({part})")?,
                Self::Licence(licence) => f.write_str(licence)?,
            }
        }
        Ok(())
    }
}

/// What is left of the text, last token first.
struct Tokens<'a> {
    rest: Vec<&'a str>,
    depth: usize,
}

impl Tokens<'_> {
    /// `OR` binds least.
    fn any(&mut self) -> Result<Expression> {
        let mut parts = vec![self.all()?];
        while self.takes("OR") {
            parts.push(self.all()?);
        }
        Ok(joined(parts, Expression::Any))
    }

    fn all(&mut self) -> Result<Expression> {
        let mut parts = vec![self.one()?];
        while self.takes("AND") {
            parts.push(self.one()?);
        }
        Ok(joined(parts, Expression::All))
    }

    fn one(&mut self) -> Result<Expression> {
        if self.takes("(") {
            self.depth += 1;
            ensure!(self.depth <= DEPTH_MAX, "too many parentheses");
            let inner = self.any()?;
            ensure!(self.takes(")"), "a parenthesis is not closed");
            self.depth -= 1;
            return Ok(inner);
        }
        let licence = self.name()?;
        if self.takes("WITH") {
            let exception = self.name()?;
            return Ok(Expression::Licence(format!("{licence} WITH {exception}")));
        }
        Ok(Expression::Licence(licence))
    }

    fn name(&mut self) -> Result<String> {
        match self.rest.pop() {
            None => bail!("it ends too early"),
            Some(word @ ("(" | ")" | "AND" | "OR" | "WITH")) => {
                bail!("`{word}` stands where a name must")
            }
            Some(name) => Ok(name.to_owned()),
        }
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.rest.last() == Some(&word);
        if found {
            self.rest.pop();
        }
        found
    }
}

fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Expression {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

//! Conditions on records: `registrations: createdAt >= 2026-11-01 and status != "done"`.
//!
//! A condition is data compared with data; it never becomes SQL.

use crate::error::{Result, fail};
use crate::model::compare::same;
use crate::model::{Cell, Table, Value, encode, names};
use std::cmp::Ordering;

/// A conjunction of comparisons on the columns of one table.
#[derive(Clone, Debug)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    column: usize,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Is(Vec<Ordering>, Value),
    Not(Value),
    In(Vec<Value>),
    Null,
    NotNull,
}

/// Splits `table: condition`.
///
/// # Errors
/// `Usage` where there is no table.
pub fn split(text: &str) -> Result<(&str, &str)> {
    match text.split_once(':') {
        Some((table, condition)) if !table.trim().is_empty() && !condition.trim().is_empty() => {
            Ok((table.trim(), condition.trim()))
        }
        _ => Err(fail!(Usage, "a condition names its table first: {text:?}")
            .hint("Write it as 'users: status = \"pending\"'.")),
    }
}

impl Filter {
    /// Parses a condition on a table: comparisons `= != < <= > >=`, `in (…)`, `is null`, `is not null`, joined by `and`.
    ///
    /// # Errors
    /// `Usage` naming what can't be read or which column is unknown.
    pub fn parse(table: &Table, text: &str) -> Result<Self> {
        let mut tokens = tokenize(text)?.into_iter().peekable();
        let mut terms = Vec::new();
        loop {
            terms.push(term(table, text, &mut tokens)?);
            match tokens.next() {
                None => return Ok(Self { terms }),
                Some(Token::Word(word)) if word.eq_ignore_ascii_case("and") => {}
                Some(other) => return Err(unreadable(text, &format!("expected 'and', found {other:?}"))),
            }
        }
    }

    /// Lists the columns that the condition looks at, by position.
    pub fn columns(&self) -> impl Iterator<Item = usize> {
        self.terms.iter().map(|term| term.column)
    }

    /// Tells whether a record meets the condition; a null or absent value meets only `is null`.
    pub fn meets<'a>(&self, value: impl Fn(usize) -> &'a [u8]) -> bool {
        self.terms.iter().all(|term| {
            let value = encode::decode(value(term.column)).filter(|v| !v.is_null());
            match (&term.test, value) {
                (Test::Null, value) => value.is_none(),
                (Test::NotNull, value) => value.is_some(),
                (_, None) => false,
                (Test::Is(orders, wanted), Some(value)) => compare(&value, wanted).is_some_and(|o| orders.contains(&o)),
                (Test::Not(wanted), Some(value)) => !same(&value, wanted),
                (Test::In(wanted), Some(value)) => wanted.iter().any(|w| same(&value, w)),
            }
        })
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Sign(String),
}

fn unreadable(text: &str, why: &str) -> crate::error::Error {
    fail!(Usage, "the condition {text:?} can't be read: {why}")
        .hint("Write comparisons such as 'status = \"pending\" and age >= 18', joined by 'and'.")
}

fn tokenize(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(&c) = chars.peek() {
        match c {
            c if c.is_whitespace() => {
                chars.next();
            }
            '"' | '\'' => {
                chars.next();
                let mut word = String::new();
                loop {
                    match chars.next() {
                        Some(end) if end == c => break,
                        Some('\\') => word.extend(chars.next()),
                        Some(other) => word.push(other),
                        None => return Err(unreadable(text, "a quote is not closed")),
                    }
                }
                tokens.push(Token::Quoted(word));
            }
            '=' | '!' | '<' | '>' => {
                let mut sign = String::new();
                while let Some(&c) = chars.peek()
                    && matches!(c, '=' | '!' | '<' | '>')
                {
                    sign.push(c);
                    chars.next();
                }
                tokens.push(Token::Sign(sign));
            }
            '(' | ')' | ',' => {
                tokens.push(Token::Sign(c.to_string()));
                chars.next();
            }
            _ => {
                let mut word = String::new();
                while let Some(&c) = chars.peek()
                    && !c.is_whitespace()
                    && !matches!(c, '=' | '!' | '<' | '>' | '(' | ')' | ',')
                {
                    word.push(c);
                    chars.next();
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Ok(tokens)
}

fn term(table: &Table, text: &str, tokens: &mut impl Iterator<Item = Token>) -> Result<Term> {
    let name = match tokens.next() {
        Some(Token::Word(name) | Token::Quoted(name)) => name,
        other => return Err(unreadable(text, &format!("expected a column, found {other:?}"))),
    };
    let column = match names::find(&name, table.columns.iter().map(|c| c.name.as_str())) {
        names::Match::Exact(c) | names::Match::Folded(c) => c,
        _ => return Err(unreadable(text, &format!("{} has no column {name:?}", table.label()))),
    };
    let value = |token: Option<Token>| match token {
        Some(Token::Word(v) | Token::Quoted(v)) => {
            Ok(encode::value_of(Cell::String(&v), &table.columns[column]).unwrap_or(Value::Null))
        }
        other => Err(unreadable(text, &format!("expected a value, found {other:?}"))),
    };
    let sign = match tokens.next() {
        Some(Token::Sign(sign) | Token::Word(sign)) => sign.to_ascii_lowercase(),
        other => return Err(unreadable(text, &format!("expected a comparison, found {other:?}"))),
    };
    let test = match sign.as_str() {
        "=" | "==" => Test::In(vec![value(tokens.next())?]),
        "!=" | "<>" => Test::Not(value(tokens.next())?),
        "<" => Test::Is(vec![Ordering::Less], value(tokens.next())?),
        "<=" => Test::Is(vec![Ordering::Less, Ordering::Equal], value(tokens.next())?),
        ">" => Test::Is(vec![Ordering::Greater], value(tokens.next())?),
        ">=" => Test::Is(vec![Ordering::Greater, Ordering::Equal], value(tokens.next())?),
        "in" => {
            let mut wanted = Vec::new();
            if tokens.next() != Some(Token::Sign("(".to_owned())) {
                return Err(unreadable(text, "'in' needs a list in brackets"));
            }
            loop {
                wanted.push(value(tokens.next())?);
                match tokens.next() {
                    Some(Token::Sign(sign)) if sign == "," => {}
                    Some(Token::Sign(sign)) if sign == ")" => break,
                    other => return Err(unreadable(text, &format!("expected ',' or ')', found {other:?}"))),
                }
            }
            Test::In(wanted)
        }
        "is" => match (tokens.next(), ()) {
            (Some(Token::Word(w)), ()) if w.eq_ignore_ascii_case("null") => Test::Null,
            (Some(Token::Word(w)), ()) if w.eq_ignore_ascii_case("not") => match tokens.next() {
                Some(Token::Word(w)) if w.eq_ignore_ascii_case("null") => Test::NotNull,
                other => return Err(unreadable(text, &format!("expected 'null', found {other:?}"))),
            },
            (other, ()) => return Err(unreadable(text, &format!("expected 'null', found {other:?}"))),
        },
        other => return Err(unreadable(text, &format!("{other:?} is no comparison"))),
    };
    Ok(Term { column, test })
}

/// Orders two values of one column; `None` where the kinds have no common order.
pub fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    if let (Some(x), Some(y)) = (a.as_decimal(), b.as_decimal()) {
        return Some(x.cmp(&y));
    }
    match (a, b) {
        (Value::Text(x), Value::Text(y)) => Some(x.cmp(y)),
        (Value::Timestamp(x), Value::Timestamp(y)) => Some(x.nanos_since(*y).cmp(&0)),
        (Value::Date(x), Value::Date(y)) => Some(x.cmp(y)),
        (Value::Time(x), Value::Time(y)) => Some(x.nanos.cmp(&y.nanos)),
        (Value::Bool(x), Value::Bool(y)) => Some(x.cmp(y)),
        (Value::Uuid(x), Value::Uuid(y)) => Some(x.cmp(y)),
        (Value::Bytes(x), Value::Bytes(y)) => Some(x.cmp(y)),
        _ => None,
    }
}

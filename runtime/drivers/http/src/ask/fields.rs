//! The known fields of a JSON object, each as the text that it was written in. Nothing is
//! allocated for what is not asked for, so that a small body cannot become a large tree.

use crate::error::ApiError;
use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;

/// The known fields of one object that are there and not `null`.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// How the object is called in errors: empty for the body itself.
    path: String,
    found: Vec<(&'static str, &'a RawValue)>,
}

/// What sort of value a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    Array,
    Object,
}

impl<'a> Fields<'a> {
    /// Reads an object.
    pub(super) fn parse(
        text: &'a str,
        known: &'static [&'static str],
    ) -> Result<Self, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let found = ObjectSeed(known).deserialize(&mut reader)?;
        reader.end()?;
        Ok(Self {
            path: String::new(),
            found,
        })
    }

    /// Reads an object that stands at `path`.
    pub(super) fn parse_at(
        path: String,
        value: &'a RawValue,
        known: &'static [&'static str],
    ) -> Result<Self, ApiError> {
        match Self::parse(value.get(), known) {
            Ok(fields) => Ok(Self { path, ..fields }),
            Err(error) => Err(ApiError::value(
                &path,
                &format!("`{path}` is no object as wanted: {error}"),
            )),
        }
    }

    /// How a field is called in errors.
    pub(super) fn path(&self, name: &str) -> String {
        match self.path.as_str() {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        }
    }

    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.found
            .iter()
            .find(|(found, _)| *found == name)
            .map(|(_, value)| *value)
    }

    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        self.raw(name).map(kind)
    }

    /// The value as a `T`; an error says what is `wanted`.
    pub(super) fn typed<T: Deserialize<'a>>(
        &self,
        name: &str,
        wanted: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.raw(name) else {
            return Ok(None);
        };
        let typed = serde_json::from_str(value.get());
        typed
            .map(Some)
            .map_err(|_| ApiError::value(&self.path(name), wanted))
    }

    pub(super) fn string(&self, name: &str) -> Result<Option<String>, ApiError> {
        self.typed(
            name,
            &format!("`{}` must be a string of valid characters", self.path(name)),
        )
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        self.typed(
            name,
            &format!("`{}` must be true or false", self.path(name)),
        )
    }

    /// Any integer of 64 bits; negative ones count from the top.
    pub(super) fn integer(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let wanted = format!("`{}` must be an integer of 64 bits", self.path(name));
        match self.raw(name).map(|value| value.get().starts_with('-')) {
            Some(true) => Ok(self.typed::<i64>(name, &wanted)?.map(i64::cast_unsigned)),
            Some(false) => self.typed(name, &wanted),
            None => Ok(None),
        }
    }

    pub(super) fn number(
        &self,
        name: &str,
        least: f64,
        most: f64,
    ) -> Result<Option<f64>, ApiError> {
        let path = self.path(name);
        let wanted = format!("`{path}` must be a number from {least} to {most}");
        let number: Option<f64> = self.typed(name, &wanted)?;
        match number {
            Some(number) if !(least..=most).contains(&number) => {
                Err(ApiError::value(&path, &wanted))
            }
            Some(_) | None => Ok(number),
        }
    }

    pub(super) fn object(
        &self,
        name: &str,
        known: &'static [&'static str],
    ) -> Result<Option<Self>, ApiError> {
        let Some(value) = self.raw(name) else {
            return Ok(None);
        };
        Self::parse_at(self.path(name), value, known).map(Some)
    }
}

/// What sort of value this is, by its first character: it is known to be valid.
pub(super) fn kind(value: &RawValue) -> Kind {
    match value.get().as_bytes().first() {
        Some(b'"') => Kind::Text,
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b't' | b'f') => Kind::Flag,
        Some(_) | None => Kind::Number,
    }
}

/// Whether an array or object has no elements.
pub(super) fn is_empty(value: &RawValue) -> bool {
    let text = value.get();
    let inside = text
        .strip_prefix(['[', '{'])
        .and_then(|text| text.strip_suffix([']', '}']));
    inside.is_some_and(|inside| inside.trim().is_empty())
}

struct ObjectSeed(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for ObjectSeed {
    type Value = Vec<(&'static str, &'de RawValue)>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed {
    type Value = Vec<(&'static str, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found: Self::Value = Vec::new();
        let mut seen: Vec<&'static str> = Vec::new();
        while let Some(name) = map.next_key_seed(KeySeed(self.0))? {
            let Some(name) = name else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            if seen.contains(&name) {
                return Err(A::Error::custom(format_args!(
                    "`{name}` stands in it twice"
                )));
            }
            seen.push(name);
            // A value that is `null` counts as absent.
            if let Some(value) = map.next_value::<Option<&'de RawValue>>()? {
                found.push((name, value));
            }
        }
        Ok(found)
    }
}

struct KeySeed(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for KeySeed {
    type Value = Option<&'static str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|known| **known == name).copied())
    }
}

//! Picking the values at a few JSON pointers out of a JSON text, in one pass.
//!
//! The text is never turned into a tree: what no pointer leads to is skipped,
//! strings without escapes are borrowed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A value found at a pointer, as far as conditions and rules need it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Field<'a> {
    /// Nothing there.
    #[default]
    Absent,
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, exact where it is a whole one.
    Number(Number),
    /// A string.
    Text(Cow<'a, str>),
    /// An array or object; whether it holds anything.
    Container {
        /// It holds something.
        filled: bool,
        /// Its value, if some rule looks at all of it.
        value: Option<Value>,
    },
}

/// A JSON number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Not negative and whole.
    Unsigned(u64),
    /// Negative and whole.
    Signed(i64),
    /// Anything else.
    Float(f64),
}

impl Field<'_> {
    /// Neither missing nor null, false, 0, or empty.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::Absent | Self::Null => false,
            Self::Bool(b) => *b,
            Self::Number(Number::Unsigned(n)) => *n != 0,
            Self::Number(Number::Signed(n)) => *n != 0,
            Self::Number(Number::Float(n)) => *n != 0.0,
            Self::Text(s) => !s.is_empty(),
            Self::Container { filled, .. } => *filled,
        }
    }

    /// Equal as a JSON value.
    pub fn equals(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(a), Value::Bool(b)) => a == b,
            (Self::Text(a), Value::String(b)) => a == b,
            (Self::Number(a), Value::Number(b)) => match *a {
                Number::Unsigned(n) => b.as_u64() == Some(n) || b.as_f64() == Some(n as f64),
                Number::Signed(n) => b.as_i64() == Some(n) || b.as_f64() == Some(n as f64),
                Number::Float(n) => b.as_f64() == Some(n),
            },
            (Self::Container { value: Some(a), .. }, b) => a == b,
            _ => false,
        }
    }

    /// A count: a whole number, not negative.
    pub fn as_count(&self) -> Option<u64> {
        match self {
            Self::Number(Number::Unsigned(n)) => Some(*n),
            Self::Number(Number::Float(n)) if *n >= 0.0 && n.fract() == 0.0 && *n < 9e15 => Some(*n as u64),
            _ => None,
        }
    }

    /// Any number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(Number::Unsigned(n)) => Some(*n as f64),
            Self::Number(Number::Signed(n)) => Some(*n as f64),
            Self::Number(Number::Float(n)) => Some(*n),
            _ => None,
        }
    }

    /// The text of a string, the JSON text of anything else that is there.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Bool(b) => Some(b.to_string()),
            Self::Number(Number::Unsigned(n)) => Some(n.to_string()),
            Self::Number(Number::Signed(n)) => Some(n.to_string()),
            Self::Number(Number::Float(n)) => Some(n.to_string()),
            Self::Text(s) => Some(s.as_ref().to_owned()),
            Self::Container { value, .. } => value.as_ref().map(Value::to_string),
        }
    }
}

/// The pointers to look for, as a tree.
#[derive(Debug, Default)]
pub struct Pointers {
    root: Node,
    count: usize,
}

#[derive(Debug, Default)]
struct Node {
    field: Option<usize>,
    /// Some rule looks at the whole value.
    whole: bool,
    children: Vec<(String, Node)>,
}

impl Pointers {
    /// Adds a pointer (RFC 6901) and gives the number of its field; `whole` if
    /// an array or object found there is needed as a value.
    pub fn add(&mut self, pointer: &str, whole: bool) -> usize {
        let mut node = &mut self.root;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let place = match node.children.iter().position(|(key, _)| *key == token) {
                Some(place) => place,
                None => {
                    node.children.push((token, Node::default()));
                    node.children.len() - 1
                }
            };
            node = &mut node.children[place].1;
        }
        node.whole |= whole;
        *node.field.get_or_insert_with(|| {
            self.count += 1;
            self.count - 1
        })
    }

    /// Reads a JSON text; `fields` is emptied and filled, one a pointer.
    ///
    /// # Errors
    /// When it is not one JSON value.
    pub fn read<'a>(&self, json: &'a [u8], fields: &mut Vec<Field<'a>>) -> Result<(), serde_json::Error> {
        fields.clear();
        fields.resize(self.count, Field::Absent);
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        Seek { node: &self.root, fields }.deserialize(&mut deserializer)?;
        deserializer.end()
    }
}

impl Node {
    fn child(&self, key: &str) -> Option<&Node> {
        self.children.iter().find(|(k, _)| k == key).map(|(_, node)| node)
    }

    /// Forgets what an earlier value of a repeated key gave: the last one counts.
    fn clear(&self, fields: &mut [Field<'_>]) {
        if let Some(field) = self.field {
            fields[field] = Field::Absent;
        }
        for (_, child) in &self.children {
            child.clear(fields);
        }
    }

    /// Fills in from a value that was read as a whole.
    fn fill(&self, value: Value, fields: &mut [Field<'_>]) {
        for (key, child) in &self.children {
            let below = match &value {
                Value::Object(map) => map.get(key),
                Value::Array(items) => key.parse().ok().and_then(|i: usize| items.get(i)),
                _ => None,
            };
            if let Some(below) = below {
                child.fill(below.clone(), fields);
            }
        }
        let Some(field) = self.field else { return };
        fields[field] = match value {
            Value::Null => Field::Null,
            Value::Bool(b) => Field::Bool(b),
            Value::Number(n) => Field::Number(match (n.as_u64(), n.as_i64()) {
                (Some(n), _) => Number::Unsigned(n),
                (_, Some(n)) => Number::Signed(n),
                _ => Number::Float(n.as_f64().unwrap_or(f64::NAN)),
            }),
            Value::String(s) => Field::Text(Cow::Owned(s)),
            Value::Array(ref items) => Field::Container { filled: !items.is_empty(), value: Some(value) },
            Value::Object(ref map) => Field::Container { filled: !map.is_empty(), value: Some(value) },
        };
    }
}

struct Seek<'n, 'f, 'a> {
    node: &'n Node,
    fields: &'f mut Vec<Field<'a>>,
}

impl<'a> Seek<'_, '_, 'a> {
    fn set(self, field: Field<'a>) {
        if let Some(place) = self.node.field {
            self.fields[place] = field;
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seek<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.node.whole {
            let value = <Value as serde::Deserialize>::deserialize(deserializer)?;
            self.node.fill(value, self.fields);
            return Ok(());
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seek<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.set(Field::Null);
        Ok(())
    }

    fn visit_bool<E>(self, b: bool) -> Result<(), E> {
        self.set(Field::Bool(b));
        Ok(())
    }

    fn visit_u64<E>(self, n: u64) -> Result<(), E> {
        self.set(Field::Number(Number::Unsigned(n)));
        Ok(())
    }

    fn visit_i64<E>(self, n: i64) -> Result<(), E> {
        self.set(Field::Number(Number::Signed(n)));
        Ok(())
    }

    fn visit_f64<E>(self, n: f64) -> Result<(), E> {
        self.set(Field::Number(Number::Float(n)));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, s: &'de str) -> Result<(), E> {
        self.set(Field::Text(Cow::Borrowed(s)));
        Ok(())
    }

    fn visit_str<E>(self, s: &str) -> Result<(), E> {
        self.set(Field::Text(Cow::Owned(s.to_owned())));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut filled = false;
        while let Some(child) = map.next_key_seed(Key(self.node))? {
            filled = true;
            match child {
                Some(node) => {
                    node.clear(self.fields);
                    map.next_value_seed(Seek { node, fields: self.fields })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.set(Field::Container { filled, value: None });
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0usize;
        loop {
            let child = self.node.children.iter().find(|(key, _)| key.parse() == Ok(index));
            let more = match child {
                Some((_, node)) => seq.next_element_seed(Seek { node, fields: self.fields })?.is_some(),
                None => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
            index += 1;
        }
        self.set(Field::Container { filled: index > 0, value: None });
        Ok(())
    }
}

/// Finds the child that a key leads to, without keeping the key.
struct Key<'n>(&'n Node);

impl<'de, 'n> DeserializeSeed<'de> for Key<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Key<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.child(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read<'a>(pointers: &[(&str, bool)], json: &'a str) -> Result<Vec<Field<'a>>, serde_json::Error> {
        let mut tree = Pointers::default();
        let places: Vec<usize> = pointers.iter().map(|(p, whole)| tree.add(p, *whole)).collect();
        let mut fields = Vec::new();
        tree.read(json.as_bytes(), &mut fields)?;
        Ok(places.into_iter().map(|place| fields[place].clone()).collect())
    }

    #[test]
    fn finds_what_pointers_lead_to() {
        let json =
            r#"{"choices":[{"text":" w\u0030","x":1}],"usage":{"n":3,"f":-1.5},"a/b":{"~":true},"e":[]}"#;
        let fields = read(
            &[
                ("/choices", false),
                ("/choices/0/text", false),
                ("/choices/1", false),
                ("/usage/n", false),
                ("/usage/f", false),
                ("/a~1b/~0", false),
                ("/e", false),
                ("", false),
            ],
            json,
        )
        .unwrap();
        assert_eq!(fields[0], Field::Container { filled: true, value: None });
        assert_eq!(fields[1].to_text().as_deref(), Some(" w0"));
        assert_eq!(fields[2], Field::Absent);
        assert_eq!(fields[3].as_count(), Some(3));
        assert_eq!(fields[4].as_number(), Some(-1.5));
        assert_eq!(fields[5], Field::Bool(true));
        assert!(!fields[6].is_truthy());
        assert!(fields[7].is_truthy());
    }

    #[test]
    fn the_last_of_repeated_keys_counts() {
        let fields = read(&[("/a/b", false), ("/a", false)], r#"{"a":{"b":1},"a":{"c":2}}"#).unwrap();
        assert_eq!(fields[0], Field::Absent);
        assert!(fields[1].is_truthy());
    }

    #[test]
    fn text_that_is_no_json_is_an_error() {
        for json in ["", "[DONE]", "{\"a\":1", "{} {}", "\u{1}"] {
            assert!(read(&[("/a", false)], json).is_err(), "{json}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&[("/a", false)], &deep).is_err());
    }

    fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e6..1e6f64).prop_map(Value::from),
            "[ -~]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec(("[ab01]", inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_a_tree(value in json(), pointers in prop::collection::vec("(/[ab01]){0,3}", 1..6), whole in any::<bool>()) {
            let text = value.to_string();
            let asked: Vec<(&str, bool)> = pointers.iter().map(|p| (p.as_str(), whole)).collect();
            let fields = read(&asked, &text).unwrap();
            for (pointer, field) in pointers.iter().zip(&fields) {
                match value.pointer(pointer) {
                    None => prop_assert_eq!(field, &Field::Absent),
                    Some(found) if found.is_array() || found.is_object() => {
                        let filled = found.as_array().is_some_and(|a| !a.is_empty())
                            || found.as_object().is_some_and(|o| !o.is_empty());
                        prop_assert_eq!(field.is_truthy(), filled);
                        prop_assert_eq!(field.equals(found), whole);
                    }
                    Some(found) => prop_assert!(field.equals(found), "{pointer}: {field:?} is not {found}"),
                }
            }
        }
    }
}

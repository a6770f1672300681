//! What must be known of a Parquet footer before the decoder may see it.
//!
//! The decoder builds and drops the schema by recursion, so a small file whose
//! schema is nested deeply enough would overflow the stack, which ends the
//! process and cannot be caught. This walks the schema without recursion. The
//! footer is a `FileMetaData` in Thrift's compact protocol; of that only field
//! 2, the list of schema elements, and of an element only field 5, the number
//! of its children, are read (`parquet.thrift` of the Parquet format).

use super::error::Problem;

/// Groups within groups that a schema may have.
const MAX_SCHEMA_DEPTH: usize = 100;

/// Structs within structs of the footer; the format needs five.
const MAX_STRUCT_DEPTH: usize = 32;

/// Refuses a footer whose schema is nested too deeply or cannot be walked.
///
/// The decoder reads a known field by its number whatever type the footer
/// states, so a known field of another type is refused: both must see the same.
pub(super) fn check_schema_depth(footer: &[u8]) -> Result<(), Problem> {
    match schema_depth(&mut Compact { rest: footer }) {
        Some(depth) if depth > MAX_SCHEMA_DEPTH => Err(Problem::TooDeep { limit: MAX_SCHEMA_DEPTH }),
        Some(_) => Ok(()),
        None => Err(Problem::Parquet("the footer is damaged".into())),
    }
}

/// Types of Thrift's compact protocol that are told apart here.
mod wire {
    pub(super) const STOP: u8 = 0;
    pub(super) const TRUE: u8 = 1;
    pub(super) const FALSE: u8 = 2;
    pub(super) const BYTE: u8 = 3;
    pub(super) const I16: u8 = 4;
    pub(super) const I32: u8 = 5;
    pub(super) const I64: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const BINARY: u8 = 8;
    pub(super) const LIST: u8 = 9;
    pub(super) const SET: u8 = 10;
    pub(super) const STRUCT: u8 = 12;
}

/// The greatest depth of any schema list in the footer; a file with two of them
/// is damaged, but the decoder might take either.
fn schema_depth(footer: &mut Compact<'_>) -> Option<usize> {
    let mut deepest = 0;
    let mut field = 0;
    while let Some(kind) = footer.field(&mut field)? {
        let expected = match field {
            1 => Some(wire::I32),
            3 => Some(wire::I64),
            2 | 4 | 5 | 7 => Some(wire::LIST),
            6 | 9 => Some(wire::BINARY),
            8 => Some(wire::STRUCT),
            _ => None,
        };
        if expected.is_some_and(|expected| expected != kind) {
            return None;
        }
        if field != 2 {
            footer.skip(kind, 0)?;
            continue;
        }
        let (item, count) = footer.list()?;
        if item != wire::STRUCT {
            return None;
        }
        // Children that are still to come, of every open group.
        let mut open: Vec<i64> = Vec::new();
        for _ in 0..count {
            let children = footer.children()?;
            if children > 0 {
                open.push(children);
                deepest = deepest.max(open.len());
                if deepest > MAX_SCHEMA_DEPTH {
                    return Some(deepest);
                }
                continue;
            }
            while let Some(left) = open.last_mut() {
                *left -= 1;
                if *left > 0 {
                    break;
                }
                open.pop();
            }
        }
    }
    Some(deepest)
}

/// A reader of Thrift's compact protocol. `None` means that the bytes end or
/// make no sense.
struct Compact<'a> {
    rest: &'a [u8],
}

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn advance(&mut self, bytes: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    /// The type of the next field, whose number goes to `field`; no type at the end of the struct.
    fn field(&mut self, field: &mut i64) -> Option<Option<u8>> {
        let head = self.byte()?;
        if head & 0x0f == wire::STOP {
            return Some(None);
        }
        *field = match head >> 4 {
            0 => self.zigzag()?,
            delta => field.checked_add(i64::from(delta))?,
        };
        Some(Some(head & 0x0f))
    }

    /// Type and number of the items of a list.
    fn list(&mut self) -> Option<(u8, u64)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        Some((head & 0x0f, count))
    }

    /// Reads a schema element for the number of its children.
    fn children(&mut self) -> Option<i64> {
        let mut children = 0;
        let mut field = 0;
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (5, wire::I32) => children = self.zigzag()?,
                (1..=3 | 6..=9, wire::I32) | (4, wire::BINARY) | (10, wire::STRUCT) => self.skip(kind, 0)?,
                (1..=10, _) => return None,
                _ => self.skip(kind, 0)?,
            }
        }
        Some(children)
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            wire::TRUE | wire::FALSE => Some(()),
            wire::BYTE => self.advance(1),
            wire::I16 | wire::I32 | wire::I64 => self.varint().map(drop),
            wire::DOUBLE => self.advance(8),
            wire::BINARY => {
                let length = self.varint()?;
                self.advance(length)
            }
            wire::LIST | wire::SET if depth < MAX_STRUCT_DEPTH => {
                let (item, count) = self.list()?;
                for _ in 0..count {
                    // Within a list a boolean takes a byte.
                    match item {
                        wire::TRUE | wire::FALSE => self.advance(1)?,
                        item => self.skip(item, depth + 1)?,
                    }
                }
                Some(())
            }
            wire::STRUCT if depth < MAX_STRUCT_DEPTH => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, depth + 1)?;
                }
                Some(())
            }
            // Maps do not occur in the footer.
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::{Repetition, Type as PhysicalType};
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::types::Type;
    use proptest::prelude::*;

    use super::super::testing::{fixture, source};
    use super::*;

    /// The footer's bytes.
    fn footer(file: &[u8]) -> &[u8] {
        let (rest, tail) = file.split_at(file.len() - 8);
        let length = u32::from_le_bytes(tail[..4].try_into().unwrap()) as usize;
        &rest[rest.len() - length..]
    }

    /// A file whose schema has that many groups within groups, the root included.
    fn nested(groups: usize) -> Vec<u8> {
        let required = |field: Type| {
            let group = Type::group_type_builder("g").with_repetition(Repetition::REQUIRED);
            group.with_fields(vec![Arc::new(field)]).build().unwrap()
        };
        let leaf =
            Type::primitive_type_builder("x", PhysicalType::INT32).with_repetition(Repetition::REQUIRED);
        let inner = (1..groups).fold(leaf.build().unwrap(), |field, _| required(field));
        let other =
            Type::primitive_type_builder("y", PhysicalType::DOUBLE).with_repetition(Repetition::OPTIONAL);
        let fields = vec![Arc::new(inner), Arc::new(other.build().unwrap())];
        let root = Type::group_type_builder("m").with_fields(fields).build().unwrap();
        let mut file = Vec::new();
        SerializedFileWriter::new(&mut file, Arc::new(root), Arc::default()).unwrap().close().unwrap();
        file
    }

    #[test]
    fn depth_is_that_of_the_schema() {
        for groups in [1, 2, 15, 100, 101] {
            let file = nested(groups);
            let depth = schema_depth(&mut Compact { rest: footer(&file) });
            assert_eq!(depth, Some(groups));
            let opened = super::super::parquet::open(source(&file), None).map(|_| ());
            assert_eq!(opened.is_ok(), groups <= MAX_SCHEMA_DEPTH, "{opened:?}");
        }
        // conversations: list of structs, so root, list, element.
        let reference = fixture("llava.parquet");
        let depth = schema_depth(&mut Compact { rest: footer(&reference) }).unwrap();
        assert!((3..=6).contains(&depth), "{depth}");
    }

    #[test]
    fn a_schema_that_would_overflow_the_stack_is_refused() {
        // Written by hand, since the writer would overflow as well: a required
        // group `g` with one child is field 3, 4 and 5 of an element.
        const GROUPS: u32 = 1_000_000;
        let element = [0x35, 0, 0x18, 1, b'g', 0x15, 2, 0];
        let mut metadata = vec![0x15, 2, 0x19, 0xfc, 0xc0, 0x84, 0x3d];
        for _ in 0..GROUPS {
            metadata.extend(element);
        }
        assert!(check_schema_depth(&metadata).is_err());
        let mut file = b"PAR1".to_vec();
        let length = metadata.len() as u32;
        file.extend(metadata);
        file.extend(length.to_le_bytes());
        file.extend(b"PAR1");
        let error = super::super::parquet::open(source(&file), None).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "`file`: nested more than 100 levels deep");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = check_schema_depth(&bytes);
        }
    }
}

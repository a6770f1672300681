//! Parquet: rows decoded group by group, nested values as JSON.
//!
//! The record reader of the `parquet` crate has no random access within a row
//! group, so a group is decoded from its start. Decoded groups are kept while
//! they fit into a fixed amount of memory, which makes a shuffled read of a
//! file of that size as cheap as a sequential one.

use std::collections::VecDeque;
use std::io::{BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, Length};
use parquet::file::serialized_reader::SerializedFileReader;
use parquet::record::{Field, Row};
use parquet::schema::types::{Type, TypePtr};
use serde_json::Value;

use super::Cells;
use super::error::{At, DataError, Problem};
use super::offsets::{MAX_ROW_BYTES, MAX_ROWS, too_long};
use super::parquet_footer::check_schema_depth;
use super::row;
use super::rows::{Answer, Rows};
use super::source::{Source, sorted_slots};

/// The text of decoded row groups that is kept.
const CACHE_BYTES: usize = 64 << 20;

/// The footer that is read; it is held decoded while the file is open.
const MAX_FOOTER_BYTES: u64 = 64 << 20;

/// An open Parquet file.
pub(super) struct ParquetRows {
    source: Arc<Source>,
    reader: SerializedFileReader<Positioned>,
    fields: Vec<TypePtr>,
    /// Where the bytes of binary cells go; none means that they are not available.
    cells: Option<Arc<dyn Cells>>,
    /// The first row of every group, then the number of rows.
    group_starts: Vec<u64>,
    cache: Cache,
}

/// Opens a Parquet file and reads its footer.
pub(super) fn open(source: Source, cells: Option<Arc<dyn Cells>>) -> Result<ParquetRows, DataError> {
    open_with_cache(source, cells, CACHE_BYTES)
}

fn open_with_cache(
    source: Source,
    cells: Option<Arc<dyn Cells>>,
    cache_bytes: usize,
) -> Result<ParquetRows, DataError> {
    let fault = |problem| source.error(At::NOWHERE, problem);
    if source.size() == 0 {
        return Err(fault(Problem::Empty));
    }
    check_footer(&source)?;
    let source = Arc::new(source);
    let fault = |problem| source.error(At::NOWHERE, problem);
    let reader =
        guarded(|| Ok(SerializedFileReader::new(Positioned(Arc::clone(&source)))?)).map_err(fault)?;
    let metadata = reader.metadata();
    let schema = metadata.file_metadata().schema();
    if !schema.is_group() {
        return Err(fault(Problem::Parquet("the schema has no columns".into())));
    }
    let fields = schema.get_fields().to_vec();
    let mut group_starts = vec![0];
    let mut count = 0u64;
    for group in metadata.row_groups() {
        let rows = u64::try_from(group.num_rows())
            .map_err(|_| fault(Problem::Parquet("a row group has a negative number of rows".into())))?;
        count = count.saturating_add(rows);
        if count > MAX_ROWS as u64 {
            return Err(fault(Problem::TooManyRows { limit: MAX_ROWS }));
        }
        group_starts.push(count);
    }
    Ok(ParquetRows { source, reader, fields, cells, group_starts, cache: Cache::new(cache_bytes) })
}

/// Refuses a footer that is longer than the file or than what is held in
/// memory, and one that the decoder could not survive. The last eight bytes of
/// the file are the footer's length and `PAR1`.
fn check_footer(source: &Source) -> Result<(), DataError> {
    let fault = |text: &str| source.error(At::NOWHERE, Problem::Parquet(text.to_owned()));
    let mut tail = [0; 8];
    let Some(start) = source.size().checked_sub(12) else {
        return Err(fault("it is shorter than any Parquet file"));
    };
    source.read_exact(start + 4, &mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    if magic != *b"PAR1" {
        return Err(fault("it does not end with `PAR1`; it may be cut off"));
    }
    let footer = u64::from(u32::from_le_bytes([a, b, c, d]));
    if footer > source.size() - 12 || footer > MAX_FOOTER_BYTES {
        return Err(fault("the length of its footer is wrong"));
    }
    let mut bytes = vec![0; footer as usize];
    source.read_exact(source.size() - 8 - footer, &mut bytes)?;
    check_schema_depth(&bytes).map_err(|problem| source.error(At::NOWHERE, problem))
}

/// Reads of the Parquet decoder, which never go beyond the file: a damaged
/// length must not become an allocation.
struct Positioned(Arc<Source>);

impl Length for Positioned {
    fn len(&self) -> u64 {
        self.0.size()
    }
}

impl ChunkReader for Positioned {
    type T = BufReader<Reading>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::new(Reading { source: Arc::clone(&self.0), offset: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > self.0.size()) {
            return Err(ParquetError::EOF("data beyond the end of the file".into()));
        }
        let mut bytes = vec![0; length];
        self.0
            .read_exact(start, &mut bytes)
            .map_err(|error| ParquetError::General(error.problem.to_string()))?;
        Ok(bytes.into())
    }
}

/// The file from some offset on.
struct Reading {
    source: Arc<Source>,
    offset: u64,
}

impl Read for Reading {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.source.read_some(self.offset, buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl From<ParquetError> for Problem {
    fn from(error: ParquetError) -> Self {
        let text = error.to_string();
        // The kind in front of it means nothing to the user.
        let text = ["Parquet error: ", "EOF: ", "NYI: "]
            .iter()
            .fold(text.as_str(), |text, kind| text.strip_prefix(kind).unwrap_or(text));
        Problem::Parquet(text.to_owned())
    }
}

/// Runs the decoder. It has asserts and unsupported types that panic on
/// damaged and on unusual files; neither may take the process down.
fn guarded<T>(decode: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        // Some of the decoder's texts quote whole cells.
        Err(Problem::ParquetPanic(text.chars().take(200).collect()))
    })
}

/// The path of the first leaf that holds bytes rather than text, number or time.
fn binary_leaf(field: &Type) -> Option<String> {
    if field.is_group() {
        let inner = field.get_fields().iter().find_map(|inner| binary_leaf(inner))?;
        return Some(format!("{}.{inner}", field.name()));
    }
    let info = field.get_basic_info();
    let converted = info.converted_type();
    let binary = match field.get_physical_type() {
        PhysicalType::BYTE_ARRAY => !matches!(
            converted,
            ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON | ConvertedType::DECIMAL
        ),
        PhysicalType::FIXED_LEN_BYTE_ARRAY => {
            converted != ConvertedType::DECIMAL && info.logical_type_ref() != Some(&LogicalType::Float16)
        }
        _ => false,
    };
    binary.then(|| field.name().to_owned())
}

/// A cell as JSON, its bytes put away.
fn json(field: &Field, cells: Option<&dyn Cells>) -> Value {
    match (field, cells) {
        (Field::Bytes(bytes), Some(cells)) => cells.put(Bytes::copy_from_slice(bytes.data())).into(),
        (Field::Group(row), Some(_)) => {
            row.get_column_iter().map(|(name, field)| (name.clone(), json(field, cells))).collect()
        }
        (Field::ListInternal(list), Some(_)) => {
            list.elements().iter().map(|field| json(field, cells)).collect()
        }
        _ => field.to_json_value(),
    }
}

impl ParquetRows {
    /// Top-level fields that an answer has, in its order.
    fn wanted(&self, columns: &[String]) -> Result<Vec<usize>, DataError> {
        if columns.is_empty() {
            let readable = |at: &usize| self.cells.is_some() || binary_leaf(&self.fields[*at]).is_none();
            return Ok((0..self.fields.len()).filter(readable).collect());
        }
        let mut wanted = Vec::new();
        for column in row::distinct(columns) {
            let Some(at) = self.field(&column) else { continue };
            if let Some(path) = binary_leaf(&self.fields[at]).filter(|_| self.cells.is_none()) {
                return Err(self.source.error(At::NOWHERE, Problem::BinaryColumn(path)));
            }
            wanted.push(at);
        }
        Ok(wanted)
    }

    fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().rposition(|field| field.name() == name)
    }

    /// Decodes a row group, these fields only, until `visit` says `false`. A
    /// group with fewer rows than the footer promises is an error.
    fn decode(
        &self,
        group: usize,
        wanted: &[usize],
        mut visit: impl FnMut(u64, Option<&Row>) -> Result<bool, Problem>,
    ) -> Result<(), DataError> {
        let first = self.group_starts[group];
        let count = self.group_starts[group + 1] - first;
        let mut at = 0;
        let decoded = guarded(|| {
            if wanted.is_empty() {
                while at < count && visit(first + at, None)? {
                    at += 1;
                }
                return Ok(());
            }
            let mut in_file = wanted.to_vec();
            in_file.sort_unstable();
            let kept = in_file.into_iter().map(|field| Arc::clone(&self.fields[field])).collect();
            let schema = self.reader.metadata().file_metadata().schema();
            let projection = Type::group_type_builder(schema.name()).with_fields(kept).build()?;
            let group = self.reader.get_row_group(group)?;
            let mut rows = group.get_row_iter(Some(projection))?;
            while at < count {
                let row = rows
                    .next()
                    .ok_or_else(|| Problem::Parquet("a row group ends before its last row".into()))??;
                if !visit(first + at, Some(&row))? {
                    break;
                }
                at += 1;
            }
            Ok(())
        });
        decoded.map_err(|problem| self.source.error(At::row(first + at + 1), problem))
    }

    fn object(&self, row: Option<&Row>, wanted: &[usize]) -> Result<String, Problem> {
        let mut object = String::from("{");
        for field in wanted {
            let name = self.fields[*field].name();
            let value = row.and_then(|row| row.get_column_iter().find(|(column, _)| *column == name));
            if let Some((_, value)) = value {
                let value = json(value, self.cells.as_deref());
                row::push_field(&mut object, &row::quoted(name), &value.to_string());
            }
        }
        object.push('}');
        if object.len() as u64 > MAX_ROW_BYTES {
            return Err(too_long());
        }
        Ok(object)
    }

    /// Whether the fields of a group may fit into the cache, by the footer.
    fn may_fit(&self, group: usize, wanted: &[usize]) -> bool {
        let in_answer = |path: &[String]| {
            path.first().is_some_and(|name| wanted.iter().any(|field| self.fields[*field].name() == name))
        };
        let metadata = self.reader.metadata().row_group(group);
        let columns = metadata.columns().iter().filter(|column| in_answer(column.column_path().parts()));
        let bytes: i128 = columns.map(|column| i128::from(column.uncompressed_size())).sum();
        bytes <= self.cache.limit_bytes as i128
    }
}

impl Rows for ParquetRows {
    fn count(&self) -> u64 {
        self.group_starts.last().copied().unwrap_or(0)
    }

    fn columns(&self) -> Result<Vec<String>, DataError> {
        Ok(self.fields.iter().map(|field| field.name().to_owned()).collect())
    }

    fn read(&mut self, indices: &[u64], columns: &[String]) -> Result<Vec<String>, DataError> {
        let wanted = self.wanted(columns)?;
        let slots = sorted_slots(&self.source, self.count(), indices)?;
        let mut answer = Answer::new(indices.len());
        let mut rest = slots.as_slice();
        while let Some(&slot) = rest.first() {
            let group = self.group_starts.partition_point(|start| *start <= indices[slot]) - 1;
            let end = self.group_starts[group + 1];
            let (mut here, later) = rest.split_at(rest.partition_point(|slot| indices[*slot] < end));
            rest = later;
            if let Some(rows) = self.cache.get(group, &wanted) {
                for &slot in here {
                    let row = rows[(indices[slot] - self.group_starts[group]) as usize].as_ref();
                    answer.put(&self.source, slot, row.to_owned())?;
                }
                continue;
            }
            // Bytes of rows that nobody asked for are not to be put away.
            let textual = wanted.iter().all(|&field| binary_leaf(&self.fields[field]).is_none());
            let mut kept = (textual && self.may_fit(group, &wanted)).then(Vec::new);
            let mut kept_bytes = 0;
            let mut over = None;
            self.decode(group, &wanted, |index, row| {
                let asked = here.first().is_some_and(|slot| indices[*slot] == index);
                if !asked && kept.is_none() {
                    return Ok(!here.is_empty());
                }
                let object = self.object(row, &wanted)?;
                while let Some((&slot, others)) = here.split_first()
                    && indices[slot] == index
                {
                    here = others;
                    if let Err(error) = answer.put(&self.source, slot, object.clone()) {
                        over = Some(error);
                        return Ok(false);
                    }
                }
                kept_bytes += object.len() + size_of::<Box<str>>();
                match &mut kept {
                    Some(rows) if kept_bytes <= self.cache.limit_bytes => rows.push(object.into_boxed_str()),
                    _ => kept = None,
                }
                Ok(kept.is_some() || !here.is_empty())
            })?;
            if let Some(error) = over {
                return Err(error);
            }
            if let Some(rows) = kept {
                self.cache.put(Decoded { group, wanted: wanted.clone(), rows, bytes: kept_bytes });
            }
        }
        Ok(answer.into_rows())
    }

    fn lengths(&self, column: &str) -> Result<Vec<i64>, DataError> {
        let counts =
            |field: &usize| self.fields[*field].is_group() || binary_leaf(&self.fields[*field]).is_none();
        let Some(field) = self.field(column).filter(counts) else {
            return Ok(vec![-1; self.count() as usize]);
        };
        let mut lengths = Vec::new();
        for group in 0..self.group_starts.len() - 1 {
            self.decode(group, &[field], |_, row| {
                let value = row.and_then(|row| row.get_column_iter().next());
                lengths.push(match value {
                    Some((_, Field::Str(text))) => text.chars().count() as i64,
                    Some((_, Field::ListInternal(list))) => list.len() as i64,
                    _ => -1,
                });
                Ok(true)
            })?;
        }
        Ok(lengths)
    }

    fn position(&self, index: u64) -> u64 {
        index + 1
    }

    fn source(&self) -> &Source {
        &self.source
    }
}

/// A row group as JSON texts.
struct Decoded {
    group: usize,
    wanted: Vec<usize>,
    rows: Vec<Box<str>>,
    bytes: usize,
}

/// Row groups that were decoded last, the most recent at the back.
struct Cache {
    limit_bytes: usize,
    bytes: usize,
    groups: VecDeque<Decoded>,
}

impl Cache {
    fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes, bytes: 0, groups: VecDeque::new() }
    }

    fn get(&mut self, group: usize, wanted: &[usize]) -> Option<&[Box<str>]> {
        let at = self.groups.iter().position(|kept| kept.group == group && kept.wanted == wanted)?;
        let hit = self.groups.remove(at)?;
        self.groups.push_back(hit);
        self.groups.back().map(|kept| kept.rows.as_slice())
    }

    fn put(&mut self, decoded: Decoded) {
        self.bytes += decoded.bytes;
        self.groups.push_back(decoded);
        while self.bytes > self.limit_bytes
            && let Some(oldest) = self.groups.pop_front()
        {
            self.bytes -= oldest.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{fixture, source};
    use super::*;
    use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use proptest::prelude::*;

    /// `{"id": row, "text": "row <row>", "raw": bytes}`, ten rows a group.
    fn numbered(groups: i64) -> Vec<u8> {
        let schema = "message m { required int64 id; optional binary text (UTF8); required binary raw; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut file = Vec::new();
        let properties = Arc::new(WriterProperties::builder().build());
        let mut writer = SerializedFileWriter::new(&mut file, schema, properties).unwrap();
        for group in 0..groups {
            let ids: Vec<i64> = (group * 10..group * 10 + 10).collect();
            let texts: Vec<ByteArray> =
                ids.iter().map(|id| ByteArray::from(format!("row {id}").as_str())).collect();
            let mut rows = writer.next_row_group().unwrap();
            let mut column = rows.next_column().unwrap().unwrap();
            column.typed::<Int64Type>().write_batch(&ids, None, None).unwrap();
            column.close().unwrap();
            for levels in [Some(&[1i16; 10][..]), None] {
                let mut column = rows.next_column().unwrap().unwrap();
                column.typed::<ByteArrayType>().write_batch(&texts, levels, None).unwrap();
                column.close().unwrap();
            }
            rows.close().unwrap();
        }
        writer.close().unwrap();
        file
    }

    fn row(id: u64) -> String {
        format!("{{\"id\":{id},\"text\":\"row {id}\"}}")
    }

    #[test]
    fn any_order_with_any_cache() {
        let order = [25, 3, 3, 39, 0, 10, 9, 30, 24];
        for cache_bytes in [0, 400, 1 << 20] {
            let mut table = open_with_cache(source(&numbered(4)), None, cache_bytes).unwrap();
            assert_eq!(table.count(), 40);
            for _ in 0..2 {
                assert_eq!(table.read(&order, &[]).unwrap(), order.map(row));
                for index in order {
                    assert_eq!(
                        table.read(&[index], &["text".into(), "none".into(), "text".into()]).unwrap(),
                        [format!("{{\"text\":\"row {index}\"}}")]
                    );
                }
                assert!(table.cache.bytes <= cache_bytes);
                assert_eq!(
                    table.cache.bytes,
                    table.cache.groups.iter().map(|kept| kept.bytes).sum::<usize>()
                );
            }
            assert_eq!(table.cache.groups.is_empty(), cache_bytes == 0);
            assert_eq!(
                table.read(&[1], &["text".into(), "id".into()]).unwrap(),
                [r#"{"text":"row 1","id":1}"#]
            );
            assert_eq!(table.read(&[1, 12], &["none".into()]).unwrap(), ["{}", "{}"]);
        }
    }

    #[test]
    fn binary_columns_are_refused_by_name_only() {
        let mut table = open(source(&numbered(1)), None).unwrap();
        assert_eq!(table.columns().unwrap(), ["id", "text", "raw"]);
        assert_eq!(
            table.read(&[0], &["raw".into()]).unwrap_err().to_string(),
            "`file`: binary column `raw` has no place to go to"
        );
        assert_eq!(table.lengths("raw").unwrap(), [-1; 10]);
        assert_eq!(table.lengths("id").unwrap(), [-1; 10]);
        assert_eq!(table.lengths("text").unwrap(), [5; 10]);
    }

    #[test]
    fn nested_values_of_reference_files() {
        let mut table = open(source(&fixture("llava.parquet")), None).unwrap();
        let columns = table.columns().unwrap();
        assert!(columns.contains(&"conversations".to_owned()), "{columns:?}");
        let rows = table.read(&[0], &["conversations".into()]).unwrap();
        let row: serde_json::Value = serde_json::from_str(&rows[0]).unwrap();
        assert!(row["conversations"][0]["value"].is_string(), "{row}");
        let lengths = table.lengths("conversations").unwrap();
        assert_eq!(lengths[0], row["conversations"].as_array().unwrap().len() as i64);
        let error = table.read(&[0], &["image".into()]).unwrap_err().to_string();
        assert_eq!(error, "`file`: binary column `image.bytes` has no place to go to");
    }

    #[test]
    fn damaged_files_are_errors() {
        let good = numbered(2);
        for (bytes, message) in [
            (&b""[..], "`file`: is empty"),
            (b"PAR1PAR1", "`file`: not a valid Parquet file: it is shorter than any Parquet file"),
            (
                &good[..good.len() - 9],
                "`file`: not a valid Parquet file: it does not end with `PAR1`; it may be cut off",
            ),
            (
                b"PAR1\xff\xff\xff\x7fPAR1",
                "`file`: not a valid Parquet file: the length of its footer is wrong",
            ),
        ] {
            assert_eq!(open(source(bytes), None).map(|_| ()).unwrap_err().to_string(), message);
        }
    }

    /// Everything that can be asked of a file; errors are fine.
    fn exercise(bytes: &[u8]) {
        if let Ok(mut table) = open(source(bytes), None) {
            let count = table.count().min(1000);
            let all: Vec<u64> = (0..count).rev().collect();
            let _ = table.read(&all, &[]);
            for column in table.columns().unwrap_or_default() {
                let _ = table.read(&all, std::slice::from_ref(&column));
                if table.count() <= 1000 {
                    let _ = table.lengths(&column);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn damage_never_panics(
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            tail: bool,
        ) {
            for mut bytes in [fixture("llava.parquet"), numbered(2)] {
                let length = bytes.len();
                // The footer decides over lengths and types, so aim at it half of the time.
                let first = if tail { length - 400 } else { 0 };
                for (at, value) in &damage {
                    bytes[first + at.index(length - first)] = *value;
                }
                exercise(&bytes);
            }
        }
    }
}

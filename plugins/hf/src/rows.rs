//! Rows of a split in the order in which they are sampled.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value};
use vbench_plugin::generators::NumpyGenerator;
use vbench_plugin::rules::{ShuffleBuffer, shuffled_files};
use vbench_plugin::table::{Format, Rows};
use vbench_plugin::{Error, Location, Result};

use crate::PATH;
use crate::folder::DataFile;

/// Where a row is: its file, by place, and its index in it.
pub type Place = (usize, u64);

/// How the rows are mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shuffle {
    /// Not at all.
    None,
    /// All at once, as of a dataset on disk (`--no-stream`).
    Whole(u64),
    /// Files, then rows through a buffer, as of one that is streamed.
    Streamed(u64),
}

/// The rows of some files, given out in order. A file is opened when the first
/// of its rows comes up.
pub struct OrderedRows {
    tables: Tables,
    order: Order,
}

enum Order {
    /// Numbers over all files, and where the numbers of each file end.
    Known {
        numbers: std::vec::IntoIter<u64>,
        ends: Vec<u64>,
    },
    Passing(Reading),
    Buffered(Reading, Box<ShuffleBuffer<Place>>),
}

/// The files as they are read one after another.
struct Reading {
    files: VecDeque<usize>,
    current: Option<(usize, u64, u64)>,
}

/// The files of a dataset, opened when they are needed.
pub struct Tables {
    /// The option that names the folder or the file.
    key: &'static str,
    /// None for the one file that the option names itself.
    files: Vec<Option<DataFile>>,
    open: BTreeMap<usize, Rows>,
}

impl OrderedRows {
    /// The rows of these files of a folder.
    pub fn of_folder(key: &'static str, files: Vec<DataFile>, shuffle: Shuffle) -> Result<Self> {
        Self::new(Tables::of_folder(key, files), shuffle)
    }

    /// The rows of the file that the option names.
    pub fn of_file(shuffle: Shuffle) -> Result<Self> {
        Self::new(Tables { key: PATH, files: vec![None], open: BTreeMap::new() }, shuffle)
    }

    fn new(mut tables: Tables, shuffle: Shuffle) -> Result<Self> {
        let count = tables.files.len();
        let order = match shuffle {
            Shuffle::None => Order::Passing(Reading { files: (0..count).collect(), current: None }),
            Shuffle::Streamed(seed) => Order::Buffered(
                Reading { files: shuffled_files(count, seed).into(), current: None },
                Box::new(ShuffleBuffer::new(seed)),
            ),
            Shuffle::Whole(seed) => {
                let mut ends = Vec::with_capacity(count);
                let mut total = 0;
                for file in 0..count {
                    total += tables.count(file)?;
                    ends.push(total);
                }
                let mut numbers: Vec<u64> = (0..total).collect();
                NumpyGenerator::new(seed).shuffle(&mut numbers);
                Order::Known { numbers: numbers.into_iter(), ends }
            }
        };
        if count > 0 {
            // A file that cannot be read is an error before anything is drawn.
            tables.get(0)?;
        }
        Ok(Self { tables, order })
    }

    /// The places of the next rows, at most `max`; none at the end.
    pub fn take(&mut self, max: usize) -> Result<Vec<Place>> {
        let mut places = Vec::new();
        while places.len() < max {
            let tables = &mut self.tables;
            let next = match &mut self.order {
                Order::Known { numbers, ends } => numbers.next().map(|number| place(number, ends)),
                Order::Passing(reading) => reading.next(tables)?,
                Order::Buffered(reading, buffer) => buffer.next(|| reading.next(tables))?,
            };
            match next {
                Some(place) => places.push(place),
                None => break,
            }
        }
        Ok(places)
    }

    /// The rows at these places, with these columns.
    pub fn read(&mut self, places: &[Place], columns: &[&str]) -> Result<Vec<Map<String, Value>>> {
        self.tables.read(places, columns)
    }

    /// Where a row stands in the user's file.
    pub fn locate(&mut self, (file, row): Place) -> Result<Location> {
        Ok(self.tables.get(file)?.locate(row))
    }
}

/// The file that a number falls into, and the row in it.
fn place(number: u64, ends: &[u64]) -> Place {
    let file = ends.partition_point(|&end| end <= number);
    let start = file.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    (file, number - start)
}

impl Reading {
    fn next(&mut self, tables: &mut Tables) -> Result<Option<Place>> {
        loop {
            if let Some((file, row, count)) = &mut self.current
                && row < count
            {
                *row += 1;
                return Ok(Some((*file, *row - 1)));
            }
            let Some(file) = self.files.pop_front() else { return Ok(None) };
            self.current = Some((file, 0, tables.get(file)?.count()));
        }
    }
}

impl Tables {
    /// These files of the folder that an option names.
    pub fn of_folder(key: &'static str, files: Vec<DataFile>) -> Self {
        Self { key, files: files.into_iter().map(Some).collect(), open: BTreeMap::new() }
    }

    /// Number of rows of a file.
    pub fn count(&mut self, file: usize) -> Result<u64> {
        Ok(self.get(file)?.count())
    }

    /// The rows at these places, with these columns.
    pub fn read(&mut self, places: &[Place], columns: &[&str]) -> Result<Vec<Map<String, Value>>> {
        let mut by_file: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, (file, _)) in places.iter().enumerate() {
            by_file.entry(*file).or_default().push(number);
        }
        let mut rows = vec![Map::new(); places.len()];
        for (file, numbers) in by_file {
            let indices: Vec<u64> = numbers.iter().map(|&number| places[number].1).collect();
            let read: Vec<Map<String, Value>> = self.get(file)?.read(&indices, columns)?;
            for (number, row) in numbers.into_iter().zip(read) {
                rows[number] = row;
            }
        }
        Ok(rows)
    }

    fn get(&mut self, file: usize) -> Result<&Rows> {
        use std::collections::btree_map::Entry;
        Ok(match self.open.entry(file) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(closed) => closed.insert(match self.files.get(file) {
                Some(Some(file)) => Rows::open_member(self.key, &file.member, file.format)?,
                Some(None) => Rows::open(self.key, Format::Auto)?,
                None => return Err(Error::internal(format!("file {file} of {}", self.files.len()))),
            }),
        })
    }
}

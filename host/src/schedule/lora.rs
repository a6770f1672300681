//! Which LoRA adapter each request asks for.

use std::fmt;

use vbench_random::PythonRandom;

use super::ScheduleError;

/// How adapters are given to requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoraAssignment {
    /// Each request gets any of them: `random.choice` of CPython.
    #[default]
    Random,
    /// One after the other, in the order they were named.
    RoundRobin,
}

impl fmt::Display for LoraAssignment {
    /// The name on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Random => "random",
            Self::RoundRobin => "round-robin",
        })
    }
}

/// For each of `count` requests, in the order of dispatch, the index of one of
/// `modules` adapters. Drawn before the run from CPython's `random` as the
/// dataset left it.
///
/// # Errors
///
/// There are requests, but no adapters.
pub fn assign_lora(
    assignment: LoraAssignment,
    modules: usize,
    count: usize,
    random: &mut PythonRandom,
) -> Result<Vec<usize>, ScheduleError> {
    if modules == 0 && count > 0 {
        return Err(ScheduleError::NoLoraModules);
    }
    (0..count)
        .map(|request| match assignment {
            LoraAssignment::Random => random.choice(modules).map_err(|_| ScheduleError::NoLoraModules),
            LoraAssignment::RoundRobin => Ok(request % modules),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference client with `--seed 9 --lora-modules p q` and the dataset
    /// `random`, which leaves CPython's generator alone.
    #[test]
    fn random_choice_agrees_with_the_reference_client() {
        let chosen = assign_lora(LoraAssignment::Random, 2, 12, &mut PythonRandom::new(9)).unwrap();
        let names: String = chosen.into_iter().map(|index| ["p", "q"][index]).collect();
        assert_eq!(names, "qqqpppqqpqpq");
    }

    #[test]
    fn round_robin_draws_nothing() {
        let mut random = PythonRandom::new(9);
        assert_eq!(assign_lora(LoraAssignment::RoundRobin, 3, 5, &mut random).unwrap(), [0, 1, 2, 0, 1]);
        assert_eq!(random, PythonRandom::new(9));
    }

    #[test]
    fn no_adapters_is_an_error() {
        for assignment in [LoraAssignment::Random, LoraAssignment::RoundRobin] {
            let given = assign_lora(assignment, 0, 1, &mut PythonRandom::new(9));
            assert_eq!(given, Err(ScheduleError::NoLoraModules));
        }
    }
}

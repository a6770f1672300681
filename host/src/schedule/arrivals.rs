//! When each request of a run is due.

use thiserror::Error;
use vbench_random::{DrawError, NumpyRandomState};

use super::ramp::{RampUp, RpsChange, rps_changes};

/// What sets the pace of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Pace {
    /// The same request rate throughout; infinite for all requests at once.
    Constant {
        /// Requests per second.
        rate_rps: f64,
        /// Shape of the gamma distribution of the gaps; see [`arrivals`].
        burstiness: f64,
    },
    /// A request rate that grows over the run.
    RampUp {
        /// From where to where, and how.
        ramp: RampUp,
        /// Shape of the gamma distribution of the gaps; see [`arrivals`].
        burstiness: f64,
    },
    /// The dataset says when each request is due.
    SelfTimed {
        /// Seconds from the start of the run, by request in the order of
        /// dispatch; `None` counts as 0.
        timestamps_s: Vec<Option<f64>>,
    },
}

/// Why there is no schedule.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ScheduleError {
    /// Nothing to schedule.
    #[error("no requests provided: the dataset gave no samples")]
    NoRequests,
    /// A rate that is zero, negative or NaN.
    #[error(
        "obtained non-positive request rate {rate_rps:?} for request {request}: \
         raise `--request-rate` or `--ramp-up-start-rps` above 0"
    )]
    NonPositiveRate {
        /// Requests per second.
        rate_rps: f64,
        /// Index of the request.
        request: usize,
    },
    /// A burstiness that is zero, negative or NaN.
    #[error("a positive `--burstiness` factor is expected, but given {0:?}")]
    NonPositiveBurstiness(f64),
    /// A gap that cannot be drawn or an offset that is not a finite number of
    /// seconds: the rate or the burstiness is too extreme, or the timestamp is
    /// no time.
    #[error(
        "request {request} would be due at no finite time: check the timestamps of the dataset, \
         `--request-rate` and `--burstiness`"
    )]
    NotFinite {
        /// Index of the request.
        request: usize,
    },
    /// Timestamps for another number of requests.
    #[error("the dataset gave {timestamps} timestamps for {requests} requests")]
    TimestampCount {
        /// Timestamps given.
        timestamps: usize,
        /// Requests to schedule.
        requests: usize,
    },
    /// An adapter is to be chosen from none.
    #[error("no LoRA adapters to assign: name some with `--lora-modules`")]
    NoLoraModules,
}

/// When each request is due, by index in the order of dispatch.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrivals {
    /// Seconds from the start of the run. Those of a self-timed run need not
    /// ascend and can be negative: a request is sent in its turn, at once when
    /// it is overdue.
    pub offsets_s: Vec<f64>,
    /// The rate in force at each request, in requests per second, if the run
    /// ramps up.
    ramp: Option<(u64, Vec<f64>)>,
}

impl Arrivals {
    /// The rate in force at each request, in requests per second; `None` for a
    /// run that does not ramp up.
    pub fn rates_rps(&self) -> Option<&[f64]> {
        self.ramp.as_ref().map(|(_, rates_rps)| rates_rps.as_slice())
    }

    /// The starting rate and every whole number of requests per second passed
    /// on the way (the result's `rps_change_events`, without the time of day).
    /// Nothing for a run that does not ramp up. A steep ramp passes very many,
    /// so the events are made as they are asked for.
    pub fn rps_changes(&self) -> impl Iterator<Item = RpsChange> + '_ {
        self.ramp
            .iter()
            .flat_map(|(start_rps, rates_rps)| rps_changes(*start_rps, rates_rps, &self.offsets_s))
    }
}

/// The arrival times of `count` requests, as the reference client's
/// `get_request` computes them.
///
/// The gap before request i, the first included, at rate λ is 0 for an infinite
/// λ; 1/λ for an infinite burstiness; else a draw from the gamma distribution
/// of shape `burstiness` and scale 1/(λ·burstiness), from the legacy generator
/// of numpy as the dataset left it. An offset is the sum of the gaps up to it,
/// added left to right. Without ramp-up, all offsets are then scaled so that
/// the last request is due at exactly count/rate.
///
/// # Errors
///
/// No requests, a rate or burstiness that is not positive, or an offset that is
/// not finite.
pub fn arrivals(pace: &Pace, count: usize, numpy: &mut NumpyRandomState) -> Result<Arrivals, ScheduleError> {
    if count == 0 {
        return Err(ScheduleError::NoRequests);
    }
    let arrivals = match pace {
        Pace::Constant { rate_rps, burstiness } => {
            let mut offsets_s = offsets(std::iter::repeat_n(*rate_rps, count), *burstiness, numpy)?;
            stretch(&mut offsets_s, *rate_rps);
            Arrivals { offsets_s, ramp: None }
        }
        Pace::RampUp { ramp, burstiness } => {
            let rates_rps: Vec<f64> = (0..count).map(|index| ramp.rate_rps(index, count)).collect();
            let offsets_s = offsets(rates_rps.iter().copied(), *burstiness, numpy)?;
            Arrivals { offsets_s, ramp: Some((ramp.start_rps, rates_rps)) }
        }
        Pace::SelfTimed { timestamps_s } => {
            if timestamps_s.len() != count {
                return Err(ScheduleError::TimestampCount {
                    timestamps: timestamps_s.len(),
                    requests: count,
                });
            }
            let offsets_s = timestamps_s.iter().map(|timestamp_s| timestamp_s.unwrap_or(0.0)).collect();
            Arrivals { offsets_s, ramp: None }
        }
    };
    match arrivals.offsets_s.iter().position(|offset_s| !offset_s.is_finite()) {
        Some(request) => Err(ScheduleError::NotFinite { request }),
        None => Ok(arrivals),
    }
}

/// The sums of the gaps at the rates.
fn offsets(
    rates_rps: impl Iterator<Item = f64>,
    burstiness: f64,
    numpy: &mut NumpyRandomState,
) -> Result<Vec<f64>, ScheduleError> {
    if burstiness.is_nan() || burstiness <= 0.0 {
        return Err(ScheduleError::NonPositiveBurstiness(burstiness));
    }
    let mut offset_s = 0.0;
    rates_rps
        .enumerate()
        .map(|(request, rate_rps)| {
            if rate_rps.is_nan() || rate_rps <= 0.0 {
                return Err(ScheduleError::NonPositiveRate { rate_rps, request });
            }
            offset_s += gap(rate_rps, burstiness, numpy).map_err(|_| ScheduleError::NotFinite { request })?;
            Ok(offset_s)
        })
        .collect()
}

/// The gap before a request, in seconds.
fn gap(rate_rps: f64, burstiness: f64, numpy: &mut NumpyRandomState) -> Result<f64, DrawError> {
    if rate_rps == f64::INFINITY {
        Ok(0.0)
    } else if burstiness == f64::INFINITY {
        Ok(1.0 / rate_rps)
    } else {
        numpy.gamma(burstiness, 1.0 / (rate_rps * burstiness))
    }
}

/// Scales the offsets so that the last one is what the rate promises: the sum
/// of random gaps misses it by a percent or two, and the throughput of runs
/// with different seeds would differ by as much.
fn stretch(offsets_s: &mut [f64], rate_rps: f64) {
    let Some(last_s) = offsets_s.last().copied() else { return };
    if last_s == 0.0 {
        return;
    }
    let factor = (offsets_s.len() as f64 / rate_rps) / last_s;
    for offset_s in offsets_s {
        *offset_s *= factor;
    }
}

#[cfg(test)]
mod tests;

//! The searches against servers made of formulas.

use proptest::prelude::*;
use vbench_random::PythonRandom;

use super::*;

/// A server that works on `batch` requests at once, each taking `service_s`.
struct Server {
    batch: f64,
    service_s: f64,
    /// Requests of a run.
    requests: f64,
    /// Standard deviation of a run's margin.
    noise: f64,
    random: PythonRandom,
}

/// Longest wait that the criterion allows, as a share of the service time.
const ALLOWED: f64 = 0.5;

impl Server {
    fn new(batch: u32, noise: f64, seed: u32) -> Self {
        Self {
            batch: f64::from(batch),
            service_s: 0.5,
            requests: 1000.0,
            noise,
            random: PythonRandom::new(u64::from(seed)),
        }
    }

    fn gauss(&mut self) -> f64 {
        (0..12).map(|_| self.random.random()).sum::<f64>() - 6.0
    }

    /// The margin of one run, and what it came to: requests per second and
    /// mean time of a request.
    fn run(&mut self, variable: LoadVariable, load: u32) -> (f64, f64, f64) {
        let (load, capacity_rps) = (f64::from(load), self.batch / self.service_s);
        let (wait_s, throughput_rps) = match variable {
            LoadVariable::MaxConcurrency => {
                let load = load.min(self.requests);
                let wait_s = if load <= self.batch {
                    0.0
                } else {
                    (load / self.batch).ceil() * self.service_s - self.service_s
                };
                (wait_s, load.min(self.batch) / self.service_s)
            }
            LoadVariable::RequestRate => {
                ((self.requests / capacity_rps - self.requests / load).max(0.0), load.min(capacity_rps))
            }
        };
        let margin = (wait_s - ALLOWED * self.service_s) / (ALLOWED * self.service_s);
        let noise = self.noise * self.gauss();
        (margin + noise, throughput_rps, self.service_s + wait_s / 2.0)
    }

    /// Searches, and gives what was measured.
    fn search(&mut self, method: SearchMethod, bounds: &Bounds, runs: usize) -> History {
        let mut history = History::default();
        while let Some(load) = next_load(method, &history, bounds) {
            let mut margins = history.get(load).map_or_else(Vec::new, |outcome| outcome.margins.clone());
            assert!(margins.len() < 50, "load {load} is measured for ever");
            let mut last = (0.0, 0.0);
            for _ in 0..if one_run_at_a_time(method) { 1 } else { runs } {
                let (margin, throughput_rps, e2el_s) = self.run(bounds.variable, load);
                margins.push(margin);
                last = (throughput_rps, e2el_s);
            }
            let margin = margins.iter().sum::<f64>() / margins.len() as f64;
            let achieved = match bounds.variable {
                LoadVariable::RequestRate => last.0,
                LoadVariable::MaxConcurrency => last.0 * last.1,
            };
            history.insert(
                load,
                Outcome {
                    pass: margin <= 0.0,
                    margin,
                    margins,
                    achieved,
                    throughput_rps: last.0,
                    mean_e2el_s: last.1,
                },
            );
            assert!(history.len() < 2000, "{method:?} does not end");
        }
        history
    }
}

fn bounds(variable: LoadVariable) -> Bounds {
    Bounds { min: 1, max: 65536, tolerance: 0.02, repeats: 3, variable }
}

const METHODS: [SearchMethod; 4] =
    [SearchMethod::Spline, SearchMethod::Bisect, SearchMethod::Scan, SearchMethod::Auto];

proptest! {
    #[test]
    fn every_search_finds_the_batch_size(batch in 2..2000u32, method in prop::sample::select(METHODS.to_vec())) {
        let bounds = bounds(LoadVariable::MaxConcurrency);
        let mut server = Server::new(batch, 0.0, 1);
        // More requests at a time than there are requests make no difference.
        server.requests = 100_000.0;
        let found = server.search(method, &bounds, 1).safe_passing().unwrap();
        let tolerance = if matches!(method, SearchMethod::Spline | SearchMethod::Bisect) { 0.0 } else { 0.02 };
        prop_assert!(found <= batch && f64::from(batch - found) <= tolerance * f64::from(batch), "{} {}", found, batch);
    }

    #[test]
    fn auto_needs_no_more_runs_than_halving(batch in 2..2000u32, rate: bool) {
        let variable = if rate { LoadVariable::RequestRate } else { LoadVariable::MaxConcurrency };
        let runs = |method| {
            let mut server = Server::new(batch, 0.0, 1);
            server.requests = 100_000.0;
            server.search(method, &bounds(variable), 1).runs()
        };
        let (auto, halving) = (runs(SearchMethod::Auto), runs(SearchMethod::Bisect));
        prop_assert!(auto <= halving.max(5), "{} {}", auto, halving);
    }

    #[test]
    fn noise_neither_confuses_nor_delays_auto(batch in 10..500u32, seed: u32, rate: bool) {
        let variable = if rate { LoadVariable::RequestRate } else { LoadVariable::MaxConcurrency };
        let mut server = Server::new(batch, 0.05, seed);
        server.requests = 20_000.0;
        let limit = if rate { f64::from(batch) / server.service_s } else { f64::from(batch) };
        let history = server.search(SearchMethod::Auto, &bounds(variable), 1);
        let found = f64::from(history.safe_passing().unwrap());
        prop_assert!((found / limit - 1.0).abs() <= 0.05 || (found - limit).abs() <= 1.0, "{} {}", found, limit);
        prop_assert!(history.runs() <= 20);
    }
}

#[test]
fn nothing_passes() {
    for method in METHODS {
        let mut server = Server::new(4, 0.0, 1);
        let bounds = Bounds { min: 10, ..bounds(LoadVariable::MaxConcurrency) };
        let history = server.search(method, &bounds, 1);
        assert_eq!(history.safe_passing(), None, "{method:?}");
        assert_eq!(history.min_failing(), Some(10), "{method:?}");
    }
}

#[test]
fn everything_passes() {
    for method in METHODS {
        let mut server = Server::new(1_000_000, 0.0, 1);
        let history = server.search(method, &bounds(LoadVariable::RequestRate), 1);
        assert_eq!(history.safe_passing(), Some(65536), "{method:?}");
        assert_eq!(history.min_failing(), None, "{method:?}");
    }
}

/// The margin is the load itself less 40.3; the order is that of the documentation.
#[test]
fn the_spline_goes_as_documented() {
    let mut history = History::default();
    let mut order = Vec::new();
    let bounds = Bounds { max: 1000, ..bounds(LoadVariable::RequestRate) };
    while let Some(load) = next_load(SearchMethod::Spline, &history, &bounds) {
        order.push(load);
        let margin = f64::from(load) - 40.3;
        let outcome = Outcome {
            pass: margin <= 0.0,
            margin,
            margins: vec![margin],
            achieved: 1.0,
            throughput_rps: 1.0,
            mean_e2el_s: 1.0,
        };
        history.insert(load, outcome);
    }
    assert_eq!(order, [1000, 1, 40, 41]);
    assert_eq!(history.max_passing(), Some(40));
}

#[test]
fn certainty_needs_an_interval() {
    let outcome = |margins: &[f64]| {
        let margin = margins.iter().sum::<f64>() / margins.len() as f64;
        Outcome {
            pass: margin <= 0.0,
            margin,
            margins: margins.to_vec(),
            achieved: 1.0,
            throughput_rps: 1.0,
            mean_e2el_s: 1.0,
        }
    };
    assert_eq!(outcome(&[-0.3]).interval(), Interval::Below);
    assert_eq!(outcome(&[-0.1]).interval(), Interval::Unsure);
    assert_eq!(outcome(&[0.3]).interval(), Interval::Beyond);
    assert_eq!(outcome(&[-0.1, -0.1]).interval(), Interval::Below);
    assert_eq!(outcome(&[-0.1, -0.05]).interval(), Interval::Unsure);
    let mut history = History::default();
    history.insert(5, outcome(&[-0.5]));
    history.insert(6, outcome(&[-0.01]));
    history.insert(7, outcome(&[0.01]));
    history.insert(8, outcome(&[0.5]));
    assert_eq!(history.confidence(), (Some(5), Some(8)));
    assert_eq!((history.safe_passing(), history.min_failing()), (Some(6), Some(7)));
}

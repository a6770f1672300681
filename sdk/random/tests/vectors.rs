//! The generators against values recorded from numpy, CPython and pandas.
//!
//! `fixtures/rng.json` has for each of several seeds one stream of draws per
//! generator, every group of draws continuing where the one before it ended;
//! `fixtures/pyhash.json` has string hashes by `PYTHONHASHSEED`. A float in them
//! is the shortest text that gives the double, so equality is exact.

use serde_json::Value;
use vbench_random::{NumpyGenerator, NumpyRandomState, PythonRandom, PythonStringHash, data_frame_sample};

fn streams() -> Vec<Value> {
    serde_json::from_str(include_str!("fixtures/rng.json")).unwrap()
}

fn seed(stream: &Value) -> u32 {
    stream["seed"].as_u64().unwrap().try_into().unwrap()
}

fn whole(value: &Value) -> Vec<i64> {
    value.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

fn doubles(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn indices(value: &Value) -> Vec<usize> {
    whole(value).into_iter().map(|v| v.try_into().unwrap()).collect()
}

fn times<T>(count: usize, draw: impl FnMut() -> T) -> Vec<T> {
    std::iter::repeat_with(draw).take(count).collect()
}

#[test]
fn numpy_generator_draws() {
    for stream in streams() {
        let mut numpy = NumpyGenerator::new(seed(&stream).into());
        for step in stream["pcg64"].as_array().unwrap() {
            let bound = |name: &str| step[name].as_i64().unwrap();
            let wanted = step["v"].as_array().unwrap().len();
            match step["op"].as_str().unwrap() {
                "integers" => {
                    let drawn = numpy.integers_vec(bound("lo"), bound("hi"), wanted).unwrap();
                    assert_eq!(drawn, whole(&step["v"]), "{step}");
                }
                "scalar_integers" => {
                    let drawn = times(wanted, || numpy.integers(bound("lo"), bound("hi")).unwrap());
                    assert_eq!(drawn, whole(&step["v"]), "{step}");
                }
                "uint8" => {
                    let mut bytes = vec![0; wanted];
                    numpy.fill_bytes(&mut bytes);
                    let bytes: Vec<i64> = bytes.into_iter().map(i64::from).collect();
                    assert_eq!(bytes, whole(&step["v"]), "{step}");
                }
                "choice_p" => {
                    let p = doubles(&step["p"]);
                    let chosen = times(wanted, || numpy.choice_weighted(&p).unwrap());
                    assert_eq!(chosen, indices(&step["v"]), "{step}");
                }
                "random" => {
                    assert_eq!(times(wanted, || numpy.random()), doubles(&step["v"]), "{step}");
                }
                other => panic!("no rule for `{other}`"),
            }
        }
    }
}

#[test]
fn numpy_generator_orders() {
    for stream in streams() {
        let fresh = NumpyGenerator::new(seed(&stream).into());
        for (count, order) in stream["pcg64_permutation"].as_object().unwrap() {
            assert_eq!(fresh.clone().permutation(count.parse().unwrap()), indices(order));
        }
        for (count, order) in stream["pcg64_shuffle_list"].as_object().unwrap() {
            let mut list: Vec<usize> = (0..count.parse().unwrap()).collect();
            fresh.clone().shuffle(&mut list);
            assert_eq!(list, indices(order));
        }
    }
}

#[test]
fn python_draws() {
    for stream in streams() {
        let recorded = &stream["py"];
        let mut python = PythonRandom::new(seed(&stream).into());
        let mut list: Vec<usize> = (0..20).collect();
        python.shuffle(&mut list);
        assert_eq!(list, indices(&recorded["shuffle20"]));
        assert_eq!(times(8, || python.choice(10).unwrap()), indices(&recorded["choice10"]));
        assert_eq!(python.choices(7, 9).unwrap(), indices(&recorded["choices7"]));
        assert_eq!(times(2, || python.random()), doubles(&recorded["random"]));
        let bits = times(2, || python.getrandbits(32) as i64);
        assert_eq!(bits, whole(&recorded["getrandbits32"]));
        assert_eq!(times(5, || python.randint(1, 5).unwrap()), whole(&recorded["randint_1_5"]));
        assert_eq!(python.sample(30, 5).unwrap(), indices(&recorded["sample"]));
        assert_eq!(python.uniform(1.0, 3.0), recorded["uniform"].as_f64().unwrap());
    }
}

#[test]
fn numpy_random_state_draws() {
    for stream in streams() {
        let recorded = &stream["np_legacy"];
        let mut numpy = NumpyRandomState::new(seed(&stream));
        assert_eq!(numpy.randint_vec(0, 50257, 6).unwrap(), whole(&recorded["randint_50257"]));
        assert_eq!(times(6, || numpy.randint(0, 3).unwrap()), whole(&recorded["randint_3"]));
        assert_eq!(times(2, || numpy.random_sample()), doubles(&recorded["random"]));
        // In this order: an odd number of normal draws leaves one for the next shape.
        for shape in ["0.05", "0.3", "0.5", "0.9", "1.0", "1.5", "2.0", "10.0", "100.0"] {
            let drawn = times(6, || numpy.gamma(shape.parse().unwrap(), 0.02).unwrap());
            assert_eq!(drawn, doubles(&recorded[format!("gamma_{shape}")]), "shape {shape}");
        }
    }
}

#[test]
fn data_frame_rows() {
    for stream in streams() {
        let recorded = &stream["df_sample"];
        let sample = |wanted, replace| data_frame_sample(seed(&stream), 23, wanted, replace).unwrap();
        assert_eq!(sample(10, false), indices(&recorded["10_of_23"]));
        assert_eq!(sample(23, false), indices(&recorded["23_of_23"]));
        assert_eq!(sample(40, true), indices(&recorded["40_of_23_replace"]));
    }
}

#[test]
fn python_string_hashes() {
    let recorded: Value = serde_json::from_str(include_str!("fixtures/pyhash.json")).unwrap();
    for (seed, hashes) in recorded["hash"].as_object().unwrap() {
        let python = PythonStringHash::new(seed.parse().unwrap());
        let keys = recorded["keys"].as_array().unwrap();
        let hashed: Vec<i64> = keys.iter().map(|key| python.hash(key.as_str().unwrap())).collect();
        assert_eq!(hashed, whole(hashes), "PYTHONHASHSEED={seed}");
    }
}

/// A first reading of each generator with seed 0, independent of the fixtures.
#[test]
fn first_draws_of_seed_zero() {
    // The dataset `random`: input 1024, output 128, ratio 0.3, a vocabulary of 50257.
    let mut numpy = NumpyGenerator::new(0);
    assert_eq!(numpy.integers_vec(716, 1333, 5).unwrap(), [1240, 1109, 1031, 882, 905]);
    assert_eq!(numpy.integers_vec(89, 168, 5).unwrap(), [92, 94, 90, 102, 153]);
    assert_eq!(numpy.integers_vec(0, 50257, 5).unwrap(), [32637, 45872, 25310, 30487, 48786]);
    // Ranges of one number draw nothing.
    let mut numpy = NumpyGenerator::new(0);
    assert_eq!(numpy.integers_vec(1024, 1025, 5).unwrap(), [1024; 5]);
    assert_eq!(numpy.integers_vec(0, 50257, 5).unwrap(), [42749, 32011, 25688, 13558, 15470]);

    let mut python = PythonRandom::new(0);
    assert_eq!(times(3, || python.getrandbits(32)), [3_626_764_237, 1_654_615_998, 3_255_389_356]);
    let mut list: Vec<u8> = (0..10).collect();
    PythonRandom::new(0).shuffle(&mut list);
    assert_eq!(list, [7, 8, 1, 5, 3, 4, 2, 0, 9, 6]);
    let mut python = PythonRandom::new(0);
    assert_eq!(times(8, || python.choice(10).unwrap()), [6, 6, 0, 4, 8, 7, 6, 4]);

    let mut numpy = NumpyRandomState::new(0);
    assert_eq!(times(3, || numpy.next_u32()), [2_357_136_044, 2_546_248_239, 3_071_714_933]);
    let gamma = |shape, scale| {
        let mut numpy = NumpyRandomState::new(0);
        times(4, || numpy.gamma(shape, scale).unwrap())
    };
    assert_eq!(
        gamma(1.0, 0.1),
        [0.07958745081631101, 0.12559307629658378, 0.09232231458040689, 0.07872011523172708]
    );
    assert_eq!(
        gamma(0.5, 0.2),
        [0.06080037795214088, 0.07565434401356312, 0.03589667780057752, 0.03829651349213206]
    );
    assert_eq!(
        gamma(2.0, 0.05),
        [0.25694147881701224, 0.11192404558962672, 0.2713566137199373, 0.03482932222774717]
    );
    let mut numpy = NumpyRandomState::new(0);
    assert_eq!(numpy.randint_vec(0, 50257, 6).unwrap(), [2732, 43567, 42613, 45891, 21243, 30403]);
}

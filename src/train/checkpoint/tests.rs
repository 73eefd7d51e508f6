use super::*;
use crate::series::read::{ReadOptions, read_csv};
use crate::series::split::{HoldOut, Split};
use crate::train::{DataSpec, SplitSpec};

fn run(rows: usize, epochs: usize) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.csv");
    let text: String = (0..rows).map(|i| format!("{i},{}\n", (i as f64 * 0.7).sin())).collect();
    std::fs::write(&path, format!("time,x\n{text}")).unwrap();
    let (panel, _) = read_csv(&path, &ReadOptions::default()).unwrap();
    let split = Split::new(&panel, HoldOut::Nothing, 0).unwrap();
    let data = DataSpec {
        path,
        time: "time".into(),
        series: None,
        channels: panel.channels().to_vec(),
        errors: Vec::new(),
        missing: Vec::new(),
        log: Vec::new(),
        centre: Vec::new(),
    };
    let mut config = FitConfig::suited(data, SplitSpec::default(), 0, &panel, &split).unwrap();
    config.training.epochs = epochs;
    config.training.first_horizon = 4;
    config.training.check_every = 2;
    config.model.hidden = vec![4];
    Run::new(config, panel, split).unwrap()
}

/// Epochs after which trajectories are shortened.
const SHORTENED: usize = 7;

#[test]
fn a_run_interrupted_after_any_epoch_ends_in_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let run = run(60, 12);
    let print = Fingerprint::of(&run).unwrap();
    let trainer = run.trainer().unwrap();
    let mut whole = trainer.begin();
    let mut parts = trainer.begin();
    let mut phases = Vec::new();
    while trainer.turn(&mut whole).is_none() {
        trainer.epoch(&mut whole).unwrap();
        let seconds = 0.25 * parts.log.len() as f64;
        Checkpoint::save(&path, &print, &parts, seconds).unwrap();
        let back = Checkpoint::load(&path, &run).unwrap();
        assert_eq!(format!("{:?}", back.state), format!("{parts:?}"));
        assert_eq!(back.wall_seconds, seconds);
        parts = back.state;
        assert!(trainer.turn(&mut parts).is_none());
        phases.push((parts.phase, run.config().training.stage(parts.epoch)));
        trainer.epoch(&mut parts).unwrap();
        if parts.log.len() == SHORTENED {
            // As if gradients had been found to grow too fast.
            (whole.trusted, parts.trusted) = (Some(3), Some(3));
        }
    }
    phases.dedup();
    assert!(phases.len() > 3, "several stages and both phases are met: {phases:?}");
    assert_eq!(format!("{whole:?}"), format!("{parts:?}"));
    assert!(whole.log[SHORTENED - 1].horizon > 3 && whole.log[SHORTENED].horizon == 3);
}

#[test]
fn other_data_other_settings_and_damage_are_refused_with_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let first = run(20, 3);
    let refused = |run: &Run, expected: &str| {
        let error = Checkpoint::load(&path, run).unwrap_err();
        assert!(error.is_input() && error.to_string().contains(expected), "{error} should contain {expected}");
    };
    refused(&first, "no checkpoint to resume from; start afresh without --resume");
    let state = first.trainer().unwrap().begin();
    Checkpoint::save(&path, &Fingerprint::of(&first).unwrap(), &state, 0.0).unwrap();
    refused(&run(21, 3), "other data");
    refused(&run(20, 4), "other settings (training.epochs: 3 then, 4 now)");
    let whole = std::fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..length]).unwrap();
        refused(&first, "checkpoint.safetensors: ");
    }
    let longer = TrainState { epoch: 4, ..state };
    Checkpoint::save(&path, &Fingerprint::of(&first).unwrap(), &longer, 0.0).unwrap();
    refused(&first, "not those of this run");
}

//! Which items of parsed lines are wanted.

use super::accumulate::Reduction;
use super::evaluate::Form;
use super::plan::Operation;

/// How the lines of a stage are parsed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Projection {
    /// The step that parses.
    pub(crate) step: usize,
    /// The keys that later steps look at.
    pub(crate) keys: Vec<Box<str>>,
}

/// The projection of a stage that parses its lines and then only looks at items of the values.
pub(crate) fn projection(steps: &[Operation], reduction: Option<&Reduction>) -> Option<Projection> {
    let parses = |step: &Operation| match step {
        Operation::JsonLines => true,
        Operation::Map(Form::Json(text)) => **text == Form::Record,
        _ => false,
    };
    let step = steps.iter().position(parses)?;
    let mut keys = Vec::new();
    for later in &steps[step + 1..] {
        match later {
            Operation::Filter(form) => wanted(form, &mut keys)?,
            Operation::Map(form) => {
                wanted(form, &mut keys)?;
                return Some(Projection { step, keys });
            }
            _ => return None,
        }
    }
    match reduction {
        Some(Reduction::Count) => Some(Projection { step, keys }),
        Some(Reduction::FoldBy { key, fold, .. }) => {
            wanted(key, &mut keys)?;
            wanted(fold.form(), &mut keys)?;
            Some(Projection { step, keys })
        }
        _ => None,
    }
}

/// Adds the keys that a form looks up in the record; `None` where it does anything else with it.
fn wanted(form: &Form, keys: &mut Vec<Box<str>>) -> Option<()> {
    match form {
        Form::Key(inner, key) | Form::KeyOr(inner, key, _) if **inner == Form::Record => {
            if !keys.contains(key) {
                keys.push(key.clone());
            }
            Some(())
        }
        // Slots are what keys become behind this.
        Form::Record | Form::Slot(_) => None,
        Form::Constant(_) => Some(()),
        Form::Tuple(forms) => forms.iter().try_for_each(|form| wanted(form, keys)),
        Form::Compare(_, left, right)
        | Form::Arithmetic(_, left, right)
        | Form::And(left, right)
        | Form::Or(left, right) => {
            wanted(left, keys)?;
            wanted(right, keys)
        }
        Form::Key(inner, _)
        | Form::KeyOr(inner, ..)
        | Form::Position(inner, _)
        | Form::Json(inner)
        | Form::Not(inner)
        | Form::Case(inner, _)
        | Form::Strip(inner, ..)
        | Form::Split(inner, ..)
        | Form::Length(inner) => wanted(inner, keys),
    }
}

/// The form with the places of wanted keys in place of the keys.
pub(crate) fn with_slots(form: &mut Form, keys: &[Box<str>]) {
    match form {
        Form::Key(inner, key) if **inner == Form::Record => {
            if let Some(place) = keys.iter().position(|known| known == key) {
                *form = Form::Slot(place);
            }
        }
        Form::Record | Form::Slot(_) | Form::Constant(_) => {}
        Form::Tuple(forms) => forms.iter_mut().for_each(|form| with_slots(form, keys)),
        Form::Compare(_, left, right)
        | Form::Arithmetic(_, left, right)
        | Form::And(left, right)
        | Form::Or(left, right) => {
            with_slots(left, keys);
            with_slots(right, keys);
        }
        Form::Key(inner, _)
        | Form::KeyOr(inner, ..)
        | Form::Position(inner, _)
        | Form::Json(inner)
        | Form::Not(inner)
        | Form::Case(inner, _)
        | Form::Strip(inner, ..)
        | Form::Split(inner, ..)
        | Form::Length(inner) => with_slots(inner, keys),
    }
}

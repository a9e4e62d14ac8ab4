//! Expressions over columns.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};
use samite::frame::arrow::datatypes::DataType;
use samite::frame::{Function, Literal, Scalar, Unit};

use super::{raised, wrong_type};

/// An expression over the columns of a relation.
#[pyclass(frozen, module = "samite._engine")]
pub struct FrameScalar {
    pub scalar: Scalar,
}

impl From<Scalar> for FrameScalar {
    fn from(scalar: Scalar) -> Self {
        Self { scalar }
    }
}

#[pymethods]
impl FrameScalar {
    /// A column.
    #[staticmethod]
    fn column(name: &str) -> Self {
        Scalar::column(name).into()
    }

    /// A value that another plan computes, of a type by Arrow's name.
    #[staticmethod]
    fn parameter(name: String, data_type: &str, nullable: bool) -> PyResult<Self> {
        let data_type: DataType = data_type
            .parse()
            .map_err(|_| wrong_type(format!("{data_type:?} is no type of Arrow")))?;
        Ok(Scalar::Parameter { name, data_type, nullable }.into())
    }

    /// A plain Python value; None is a missing one.
    #[staticmethod]
    fn literal(value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let literal = if value.is_none() {
            Literal::Missing
        } else if let Ok(truth) = value.cast_exact::<PyBool>() {
            Literal::Boolean(truth.is_true())
        } else if value.cast_exact::<PyInt>().is_ok() {
            match value.extract::<i64>() {
                Ok(value) => Literal::Integer(value),
                Err(_) => {
                    return Err(pyo3::exceptions::PyNotImplementedError::new_err(
                        "the engine has integers of 64 bits",
                    ));
                }
            }
        } else if value.cast_exact::<PyFloat>().is_ok() {
            Literal::float(value.extract()?)
        } else if value.cast_exact::<PyString>().is_ok() {
            Literal::Text(value.extract()?)
        } else {
            return Err(wrong_type(format!("{} is no literal of the engine", value.repr()?)));
        };
        Ok(Scalar::Literal(literal).into())
    }

    /// A moment since 1970, in UTC.
    #[staticmethod]
    #[pyo3(signature = (value, unit, zone=None))]
    fn timestamp(value: i64, unit: &str, zone: Option<String>) -> PyResult<Self> {
        Ok(Scalar::Literal(Literal::Timestamp(value, unit_of(unit)?, zone)).into())
    }

    /// A length of time.
    #[staticmethod]
    fn duration(value: i64, unit: &str) -> PyResult<Self> {
        Ok(Scalar::Literal(Literal::Duration(value, unit_of(unit)?)).into())
    }

    /// A function by its name.
    #[staticmethod]
    fn call(function: &str, arguments: Vec<PyRef<'_, FrameScalar>>) -> PyResult<Self> {
        let function = Function::from_name(function).map_err(raised)?;
        let arguments = arguments.iter().map(|argument| argument.scalar.clone()).collect();
        Ok(Scalar::call(function, arguments).map_err(raised)?.into())
    }

    /// The value as another type, by Arrow's name.
    fn cast(&self, to: &str) -> PyResult<Self> {
        let to: DataType =
            to.parse().map_err(|_| wrong_type(format!("{to:?} is no type of Arrow")))?;
        Ok(self.scalar.clone().cast(to).into())
    }

    /// Whether the value is one of some literals.
    fn is_in(&self, values: Vec<PyRef<'_, FrameScalar>>) -> PyResult<Self> {
        let values = values
            .iter()
            .map(|value| match &value.scalar {
                Scalar::Literal(literal) => Ok(literal.clone()),
                other => Err(wrong_type(format!("{other} is no literal"))),
            })
            .collect::<PyResult<_>>()?;
        Ok(self.scalar.clone().is_in(values).into())
    }

    fn __repr__(&self) -> String {
        self.scalar.to_string()
    }
}

fn unit_of(unit: &str) -> PyResult<Unit> {
    match unit {
        "s" => Ok(Unit::Second),
        "ms" => Ok(Unit::Millisecond),
        "us" => Ok(Unit::Microsecond),
        "ns" => Ok(Unit::Nanosecond),
        other => Err(pyo3::exceptions::PyValueError::new_err(format!(
            "{other:?} is no unit of time; there are s, ms, us and ns"
        ))),
    }
}

//! Columns beside those that rows have.

use arrow::datatypes::Field;

use super::{Operator, Plan, field, groupable, relation};
use crate::error::{FrameError, Result};
use crate::types::Typed;
use crate::window::WindowColumn;

impl Plan {
    /// The rows with columns that go on from row to row within groups of rows with equal keys.
    pub fn window(
        self,
        keys: Vec<String>,
        columns: Vec<WindowColumn>,
        drop_missing: bool,
    ) -> Result<Self> {
        let operation = "a window";
        let mut loose = false;
        for key in &keys {
            let typed = self.column_type(operation, key)?;
            groupable("groupby", &typed.data_type)?;
            loose |= typed.nullable && drop_missing;
        }
        let mut fields: Vec<Field> =
            self.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
        for column in &columns {
            let values =
                column.column.as_ref().map(|name| self.column_type(operation, name)).transpose()?;
            fields.push(field(&column.name, column.function.typed(values, loose)?));
        }
        let schema = relation(operation, fields)?;
        Ok(Self::new(Operator::Window { input: self, keys, columns, drop_missing }, schema))
    }

    /// The rows with columns of a table that has one row for each key; what is not in the table is
    /// missing.
    pub fn lookup(
        self,
        table: Plan,
        keys: Vec<(String, String)>,
        columns: Vec<(String, String)>,
    ) -> Result<Self> {
        let operation = "a lookup";
        if keys.is_empty() {
            return Err(FrameError::Invalid { operation, detail: "there are no keys".into() });
        }
        let mut loose = false;
        for (own, of_table) in &keys {
            let mine = self.column_type(operation, own)?;
            let theirs = table.column_type(operation, of_table)?;
            groupable("groupby", &mine.data_type)?;
            if mine.data_type != theirs.data_type {
                let what = format!("keys of {} and {}", mine.data_type, theirs.data_type);
                return Err(FrameError::unsupported(operation, what));
            }
            loose |= mine.nullable && !theirs.nullable;
        }
        let mut fields: Vec<Field> =
            self.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
        for (name, of_table) in &columns {
            let typed = table.column_type(operation, of_table)?;
            fields.push(field(name, Typed { nullable: typed.nullable || loose, ..typed }));
        }
        let schema = relation(operation, fields)?;
        Ok(Self::new(Operator::Lookup { input: self, table, keys, columns }, schema))
    }
}

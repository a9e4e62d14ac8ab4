//! Identifiers: newtypes over `u32`, so that a task cannot be taken for a layer.

macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[repr(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The identifier as an index into a table.
            #[inline]
            pub const fn index(self) -> usize {
                self.0 as usize
            }

            /// The identifier of a table's row; tables never hold more than `u32::MAX` rows.
            #[inline]
            pub const fn from_index(index: usize) -> Self {
                Self(index as u32)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(formatter, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

define_id! {
    /// A layer of a [`Graph`](crate::Graph).
    LayerId
}
define_id! {
    /// A task of one [`Plan`](crate::Plan): dense, starting at zero.
    TaskId
}
define_id! {
    /// A row of the submitter's table of operations; the graph never looks inside.
    OperationId
}
define_id! {
    /// A row of the submitter's table of annotations (priority, retries, resources and the like).
    AnnotationId
}

//! Recurrent nets and networks of rates.

//! Local validators with Ballast loaded: surfpool embedded, or Agave's own as a process.

"""The processes of this cloud: they are started, watched and ended by a keeper that outlives nothing."""

"""Jobs: settings, plan, tasks, scheduling, manifest, assembly, report and the command line."""

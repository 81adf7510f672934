"""What operators see: metrics, $SYS, the control socket, logs. Reads snapshots, changes nothing."""

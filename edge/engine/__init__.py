"""Native data plane: packets in, packets out, without the interpreter."""

"""Window: the sliding window of convolutions and pooling."""

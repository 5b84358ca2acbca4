package client

import (
	"context"
	"time"
)

// DialWith is Dial with clocks of the test's own.
func DialWith(ctx context.Context, address string, cfg *Config, wall func() time.Time, elapsed func() time.Duration) (*Client, error) {
	return dial(ctx, address, cfg, clock{wall, elapsed})
}

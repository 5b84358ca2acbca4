package channel

// Use puts middleware round every handler of the mux, the fallback included, those of Typed,
// Respond and Signal too. It sees every message that a handler would get, before and after it, and
// what it does not hand to next no handler gets:
//
//	mux.Use(func(next channel.Handler) channel.Handler {
//		return func(ctx context.Context, from channel.Conn, m *channel.Message) error {
//			err := next(ctx, from, m)
//			log.Printf("%q from %q: %v", m.Channel, m.From.Name, err)
//			return err
//		}
//	})
//
// The first is the outermost, and those of a later call are within those of an earlier. Handlers
// that were registered before Use get it as those do that come after, from the message on that is
// handled next. What it returns counts as the handler's error; its panic as the handler's.
//
// Each of mw is called once for every handler when that is registered, and again when a later Use
// puts more within it: state that is to last belongs outside. It must not register anything on the
// mux, which is locked. Use panics if one of mw is nil or makes a nil handler.
func (x *Mux) Use(mw ...func(next Handler) Handler) {
	for _, w := range mw {
		if w == nil {
			panic("channel: nil middleware")
		}
	}
	if len(mw) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	all := append(x.middleware[:len(x.middleware):len(x.middleware)], mw...)
	// Everything is made before anything is changed, so that a panic leaves the mux as it was.
	routes := make(map[string]*Route, len(x.routes))
	for name, r := range x.routes {
		routes[name] = newRoute(r.bare, r.Concurrent, all)
	}
	fallback := x.fallback
	if fallback != nil {
		fallback = newRoute(fallback.bare, fallback.Concurrent, all)
	}
	x.routes, x.fallback, x.middleware = routes, fallback, all
	x.version.Add(1)
}

// newRoute composes a handler once, and not for each message.
func newRoute(h Handler, n int, middleware []func(next Handler) Handler) *Route {
	r := &Route{Handler: h, Concurrent: max(n, 1), bare: h}
	for i := len(middleware) - 1; i >= 0; i-- {
		if r.Handler = middleware[i](r.Handler); r.Handler == nil {
			panic("channel: middleware made a nil handler")
		}
	}
	return r
}

package client

// Wait waits until the connection has ended, and with it the pipes, and every handler has returned. After the server has closed the connection
// handlers still get what had arrived. Do not call it from a handler.
func (c *Client) Wait() {
	c.link.Wait()
	c.ends.Wait()
}

package client

// Wait waits until the client has ended, and with it the pipes, and every handler has returned.
// After the server has closed the connection for good handlers still get what had arrived. Do not
// call it from a handler.
func (c *Client) Wait() {
	c.conn.Wait()
	<-c.keeper.done
	c.ends.Wait()
}

package stranger

import "encoding/binary"

const (
	parcelAck   = 1
	parcelPing  = 2
	parcelPong  = 4
	parcelRetry = 8
)

// A parcel is the content of a data record with the feature resume (section
// 17.1): what is nil is not there.
type parcel struct {
	ack   *uint64 // how many bytes of the other side's stream have arrived
	ping  *uint32
	pong  *uint32
	retry *uint32 // milliseconds
	rest  []byte  // of the stream
}

// mostParcelHead is how much more a parcel can be than its rest.
const mostParcelHead = 1 + 8 + 4 + 4 + 4

func (p *parcel) encode() []byte {
	b := []byte{0}
	if p.ack != nil {
		b[0] |= parcelAck
		b = binary.BigEndian.AppendUint64(b, *p.ack)
	}
	for i, field := range []*uint32{p.ping, p.pong, p.retry} {
		if field != nil {
			b[0] |= parcelPing << i
			b = binary.BigEndian.AppendUint32(b, *field)
		}
	}
	return append(b, p.rest...)
}

func decodeParcel(content []byte, fromClient bool) (*parcel, error) {
	c := &cursor{rest: content}
	p := &parcel{}
	flags := c.u8()
	if flags&parcelAck != 0 {
		n := c.u64()
		p.ack = &n
	}
	for i, field := range []**uint32{&p.ping, &p.pong, &p.retry} {
		if flags&(parcelPing<<i) != 0 {
			n := c.u32()
			*field = &n
		}
	}
	p.rest = c.rest
	if c.bad || flags > 15 || flags == 0 && len(p.rest) == 0 || fromClient && p.retry != nil {
		return nil, protocolError("bad record of a session")
	}
	return p, nil
}

package wire

import "testing"

func BenchmarkParseHeader(b *testing.B) {
	frame := Header{TypeMessage, FlagFirst | FlagLast, 1024, 7}.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseHeader(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeMessage(b *testing.B) {
	start := MessageStart{Request: 1, Allowance: MinAllowance}
	frame := AppendMessage(nil, 7, FlagRequest, start, make([]byte, 1024))
	b.ReportAllocs()
	for b.Loop() {
		h, err := ParseHeader(frame)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := ParseMessageStart(h, frame[HeaderSize:]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeMessage(b *testing.B) {
	start := MessageStart{Request: 1, Allowance: MinAllowance}
	body := make([]byte, 1024)
	buf := make([]byte, 0, MaxFrame)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendMessage(buf[:0], 7, FlagRequest, start, body)
	}
}

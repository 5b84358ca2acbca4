package keys

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each of the writers remembers writerEntries servers and peers. It is told its number
// and the folder by the environment.
const (
	writerEnv     = "PYSOCK_TEST_WRITER"
	writerDirEnv  = "PYSOCK_TEST_WRITER_DIR"
	writers       = 4
	writerEntries = 12
)

func rememberMany() int {
	err := func() error {
		id, err := strconv.Atoi(os.Getenv(writerEnv))
		if err != nil {
			return err
		}
		dir := os.Getenv(writerDirEnv)
		own, err := NewPrivateKey(bytes.Repeat([]byte{1}, 32))
		if err != nil {
			return err
		}
		servers, err := OpenKnownServers(filepath.Join(dir, "known_servers"))
		if err != nil {
			return err
		}
		peers, err := OpenKnownPeers(filepath.Join(dir, "known_peers"), own.Public(), "hub.example:7700")
		if err != nil {
			return err
		}
		for n := range writerEntries {
			k, err := NewPrivateKey(bytes.Repeat([]byte{byte(id + 1), byte(n + 1)}, 16))
			if err != nil {
				return err
			}
			if err := servers.Remember(fmt.Sprintf("host-%d-%d.example:7700", id, n), k.Public()); err != nil {
				return err
			}
			if err := peers.Remember(fmt.Sprintf("peer-%d-%d", id, n), k.Public()); err != nil {
				return err
			}
			err = Update(filepath.Join(dir, "id.yaml"), nil, func(f *File) error {
				if f.Peers == nil {
					f.Peers = map[string]PublicKey{}
				}
				f.Peers[fmt.Sprintf("peer-%d-%d", id, n)] = k.Public()
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func TestProcessesLoseNothing(t *testing.T) {
	path := place(t, "minimal.yaml")
	dir := filepath.Dir(path)
	self, err := os.Executable()
	require.NoError(t, err)
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), childEnv+"=remember", fmt.Sprintf("%s=%d", writerEnv, i), writerDirEnv+"="+dir,
				"GORACE=atexit_sleep_ms=0")
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err, "%s", out)
		})
	}
	all.Wait()

	servers, err := OpenKnownServers(filepath.Join(dir, "known_servers"))
	require.NoError(t, err)
	list, err := servers.All()
	require.NoError(t, err)
	assert.Len(t, list, writers*writerEntries)
	peers, err := OpenKnownPeers(filepath.Join(dir, "known_peers"), fixed(t, 1).Public(), "hub.example:7700")
	require.NoError(t, err)
	list, err = peers.All()
	require.NoError(t, err)
	assert.Len(t, list, writers*writerEntries)
	f, err := Load(path)
	require.NoError(t, err)
	assert.Len(t, f.Peers, writers*writerEntries)

	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	require.NoError(t, err)
	assert.Empty(t, left, "temporary files are left")
}

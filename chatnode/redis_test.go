package chatnode

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a Redis of the test's own.
type redisServer struct {
	port string
	dir  string
	cmd  *exec.Cmd
}

// startRedis starts a real redis-server on a free port, and ends it with the test.
func startRedis(t testing.TB) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("redis-server is not installed, and CI must not skip this")
		}
		t.Skip("redis-server is not installed")
	}
	s := &redisServer{dir: t.TempDir()}
	t.Cleanup(s.kill)
	// Another program may take the port in between, so a few are tried.
	var err error
	for range 5 {
		l, lerr := net.Listen("tcp", "127.0.0.1:0")
		if lerr != nil {
			t.Fatal(lerr)
		}
		_, s.port, _ = net.SplitHostPort(l.Addr().String())
		l.Close()
		if err = s.start(); err == nil {
			return s
		}
	}
	t.Fatal(err)
	return nil
}

// start runs the server on its port and waits until it answers.
func (s *redisServer) start() error {
	s.cmd = exec.Command("redis-server", "--port", s.port, "--bind", "127.0.0.1", "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--daemonize", "no")
	if err := s.cmd.Start(); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + s.port, MaxRetries: -1})
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		info, err := client.Info(ctx, "server").Result()
		switch {
		case err == nil && strings.Contains(info, "process_id:"+strconv.Itoa(s.cmd.Process.Pid)+"\r"):
			return nil
		case err == nil:
			s.kill()
			return fmt.Errorf("port %s belongs to another server", s.port)
		case ctx.Err() != nil:
			s.kill()
			return fmt.Errorf("redis-server on port %s does not answer: %w", s.port, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// kill ends the server as a crash does.
func (s *redisServer) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// on is an edit for startNode: a node of this name on this Redis.
func (s *redisServer) on(name string, more ...func(*Config)) func(*Config) {
	return func(c *Config) {
		c.Name, c.Bus, c.RedisURL = name, "redis", "redis://127.0.0.1:"+s.port
		for _, edit := range more {
			edit(c)
		}
	}
}

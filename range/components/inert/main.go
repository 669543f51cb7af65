// Sleeps for ever and does nothing else, whatever its name and arguments are: the stand-in for miners and scanners.
// As the first process of a PID namespace it also reaps the orphans, as an init does.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 16)
	signal.Notify(ended, syscall.SIGCHLD)
	for range ended {
		for os.Getpid() == 1 {
			if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
				break
			}
		}
	}
}

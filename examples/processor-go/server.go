package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// connect makes a client for each form of the orchestrator's redis_url that leads to one server:
//
//	redis://host:port/database                                   rediss:// with TLS
//	redis+sentinel://host:port,host:port,host:port/service       rediss+sentinel:// with TLS, of the sentinels too
func connect(address string) (*redis.Client, error) {
	scheme, rest, _ := strings.Cut(address, "://")
	plain, kind, _ := strings.Cut(scheme, "+")
	switch {
	case kind == "":
		options, err := redis.ParseURL(address)
		if err != nil {
			return nil, err
		}
		instead(&options.Password, "TRIARCH_REDIS_PASSWORD")
		options.MaxRetries, options.ReadTimeout = noRetries, replyWithin
		return redis.NewClient(options), nil
	case kind == "sentinel" && (plain == "redis" || plain == "rediss"):
		options, err := sentinelOptions(rest)
		if err != nil {
			return nil, err
		}
		if plain == "rediss" {
			options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		return redis.NewFailoverClient(options), nil
	}
	// A cluster: a queue in each shard, see docs/frames-protocol.md.
	return nil, fmt.Errorf("this example knows one server and a primary with sentinels, not %s", scheme)
}

const (
	noRetries   = -1 // a lost reply must be seen: what was taken is read again then, what was settled is said again
	replyWithin = wait + 2*time.Second
)

// sentinelOptions takes [user[:password]@]host[:port],host[:port],.../service[/database] apart. net/url takes one host only.
func sentinelOptions(rest string) (*redis.FailoverOptions, error) {
	rest, query, _ := strings.Cut(rest, "?")
	places, path, _ := strings.Cut(rest, "/")
	service, database, _ := strings.Cut(path, "/")
	options := &redis.FailoverOptions{
		MasterName:  service,
		MaxRetries:  noRetries,
		ReadTimeout: replyWithin,
		OnConnect:   onlyAPrimary,
	}
	if at := strings.LastIndex(places, "@"); at >= 0 {
		user, password, _ := strings.Cut(places[:at], ":")
		var err error
		if options.Username, err = url.PathUnescape(user); err != nil {
			return nil, err
		}
		if options.Password, err = url.PathUnescape(password); err != nil {
			return nil, err
		}
		places = places[at+1:]
	}
	if service == "" || places == "" {
		return nil, fmt.Errorf("a sentinel URL names sentinels and a service, as in redis+sentinel://h1,h2,h3/frames")
	}
	if database != "" {
		number, err := strconv.Atoi(database)
		if err != nil {
			return nil, err
		}
		options.DB = number
	}
	asked, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	options.SentinelUsername, options.SentinelPassword = asked.Get("sentinel_username"), asked.Get("sentinel_password")
	instead(&options.Password, "TRIARCH_REDIS_PASSWORD")
	instead(&options.SentinelPassword, "TRIARCH_REDIS_SENTINEL_PASSWORD")
	for _, place := range strings.Split(places, ",") {
		if strings.LastIndex(place, ":") <= strings.LastIndex(place, "]") { // the last colon of [::1] is no port's
			place += ":26379"
		}
		options.SentinelAddrs = append(options.SentinelAddrs, place)
	}
	return options, nil
}

// onlyAPrimary refuses a connection to a server that is a replica by now, or again: a sentinel that was cut off may still
// name the primary from before. go-redis calls it for connections to sentinels as well.
func onlyAPrimary(ctx context.Context, connection *redis.Conn) error {
	asked := redis.NewSliceCmd(ctx, "role")
	if err := connection.Process(ctx, asked); err != nil {
		return err
	}
	if role := asked.Val(); len(role) == 0 || (role[0] != "master" && role[0] != "sentinel") {
		return fmt.Errorf("the server that the sentinels name is no primary")
	}
	return nil
}

// instead puts the variable in place of what the URL says, where it is set: the orchestrator's URL holds no password.
func instead(value *string, variable string) {
	if given := os.Getenv(variable); given != "" {
		*value = given
	}
}

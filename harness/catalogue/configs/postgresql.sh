# usage: start BIN-FOLDER SETTING
set -e
cd {dir}
"$1"/initdb --pgdata=data --username=postgres --auth=trust --no-locale --encoding=UTF8 --wal-segsize=1 \
	--no-sync --no-instructions
"$1"/postgres -D data -p 8080 -c listen_addresses=0.0.0.0 -c unix_socket_directories= -c fsync=off -c jit=off \
	-c shared_buffers=4MB -c max_connections=10 -c autovacuum=off -c "$2" &
# At a SIGTERM it would wait for its sessions to end; at a SIGINT, it ends them.
trap "kill -INT $!" TERM
wait $! || wait $!

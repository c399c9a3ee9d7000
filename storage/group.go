package storage

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
)

// writing is one write transaction on its way: what it does, and what became of it.
type writing struct {
	ctx      context.Context
	f        func(*sql.Tx) error
	durable  bool // it is on the disk, with all before it, when it is over
	err      error
	panicked any
	lead     chan struct{} // closed when its owner is to commit the next group
	done     chan struct{} // closed when it is over
}

// group gathers writings that come while another is being committed, so that many trials at once cost one transaction, and
// one sync of the disk, for all.
type group struct {
	mu      sync.Mutex
	queue   []*writing
	leading bool // somebody commits now
}

// mostGrouped bounds a transaction: readers of its points wait for it.
const mostGrouped = 128

// submit runs f in a write transaction, alone or with those of others: it is whole or not at all, whatever becomes of
// theirs. f may be run again after a failure that was not its own.
func (db *DB) submit(ctx context.Context, f func(*sql.Tx) error, durable bool) error {
	w := &writing{ctx: ctx, f: f, durable: durable, lead: make(chan struct{}), done: make(chan struct{})}
	g := &db.group
	g.mu.Lock()
	g.queue = append(g.queue, w)
	if !g.leading {
		g.leading = true
		close(w.lead)
	}
	g.mu.Unlock()
	select {
	case <-w.done:
	case <-w.lead:
		db.leadOne()
		<-w.done // its own was the first of the group
	}
	if w.panicked != nil {
		panic(w.panicked)
	}
	return explain(db.path, w.err)
}

// leadOne commits all that wait and passes the lead to the first of those that came meanwhile.
func (db *DB) leadOne() {
	g := &db.group
	g.mu.Lock()
	n := min(len(g.queue), mostGrouped)
	batch := g.queue[:n:n]
	g.queue = g.queue[n:]
	g.mu.Unlock()
	db.commitAll(batch)
	for _, w := range batch {
		close(w.done)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.queue) == 0 {
		g.queue, g.leading = nil, false
		return
	}
	close(g.queue[0].lead)
}

// commitAll runs a group in one transaction, each under a savepoint. When that fails as a whole each has its own.
func (db *DB) commitAll(batch []*writing) {
	if len(batch) > 1 {
		durable := false
		for _, w := range batch {
			durable = durable || w.durable
		}
		err := db.transact(context.WithoutCancel(batch[0].ctx), durable, func(tx *sql.Tx) error {
			for _, w := range batch {
				if err := w.within(tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			return
		}
	}
	for _, w := range batch {
		w.err, w.panicked = w.ctx.Err(), nil
		if w.err == nil {
			w.err = db.transact(w.ctx, w.durable, w.run)
		}
	}
}

// within runs a writing under a savepoint. The error is one that ends the whole transaction.
func (w *writing) within(tx *sql.Tx) error {
	if w.err, w.panicked = w.ctx.Err(), nil; w.err != nil {
		return nil
	}
	ctx := context.WithoutCancel(w.ctx)
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	if w.err = w.run(tx); w.err != nil {
		// An interrupted statement, or a full disk, has ended the transaction: then there is no savepoint to go back to.
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO one"); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "RELEASE one")
	return err
}

// run runs f; a panic is kept for the goroutine that it belongs to.
func (w *writing) run(tx *sql.Tx) (err error) {
	defer func() {
		if v := recover(); v != nil {
			w.panicked, err = v, fmt.Errorf("panic: %v", v)
		}
	}()
	return w.f(tx)
}

// transact runs f in one write transaction. A durable one has reached the disk, with all before it, when it returns.
func (db *DB) transact(ctx context.Context, durable bool, f func(*sql.Tx) error) error {
	w, err := db.writer()
	if err != nil {
		return err
	}
	conn, err := w.Conn(ctx)
	if err != nil {
		return explain(db.path, err)
	}
	defer conn.Close()
	if durable && !db.full {
		// The level of a connection cannot change inside a transaction, hence around it. Syncing the log at this commit
		// syncs all of it.
		if _, err := conn.ExecContext(ctx, "PRAGMA synchronous = full"); err != nil {
			return explain(db.path, err)
		}
		defer conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = normal") // at worst later commits sync too
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return explain(db.path, err)
	}
	defer tx.Rollback() // does nothing after Commit
	if err := f(tx); err != nil {
		return explain(db.path, err)
	}
	return explain(db.path, tx.Commit())
}

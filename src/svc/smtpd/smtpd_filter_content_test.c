// smtpd_filter_content_test: what filters change.
#include "svc/smtpd/smtpd_filter_play.h"

static void change_everything(struct scene *s) {
    struct smtpd_filtered out;
    struct buf got BUF_AUTO = {.max = 1 << 20};
    send_message(s, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
    assert_true(out.header_changed && out.body_changed && out.sender_changed && out.quarantine);
    assert_text(out.header, "X-First: 1\r\nSubject: bye\r\nX-Last: 2\r\n\tEvil:3\r\n");
    assert_int_equal(out.top, strlen("X-First: 1\r\n"));
    collect_body(s, &got);
    assert_text(buf_slice(&got), "new\r\nline\r\nend");
    assert_int_equal(out.body_size, got.n);
    assert_text(out.sender, "x@y.example");
    assert_int_equal(out.added_n, 1);
    assert_text(out.added[0], "c@d.example");
    assert_int_equal(out.removed_n, 2);
    assert_text(out.removed[0], "e@f.example");
    assert_text(out.removed[1], "b@example.org");
    assert_text(out.reason, "why");
    smtpd_filters_abort(s->f);
}

static void changes_messages(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1ff,0;c;c;c;c;c;c;c;c;c;p i0:X-First=1 m1:subject= m1:Subject=bye m1:To= "
                             "h:X-Last=2\nEvil:3 b:new\r b:\nline\nend +:<c@D.example> +:<e@f.example> "
                             "-:<e@f.example> -:<b@example.org> +:<c@d.example> e:<x@Y.example> q:why p c"};
    // the first m1 takes Subject out; the second finds it gone all the same, and puts it back
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 1);
    run(&s, change_everything);
    tear_down(&s);
}

static void see_changes(struct scene *s) {
    struct smtpd_filtered out;
    struct buf got BUF_AUTO = {.max = 1 << 20};
    send_message(s, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
    assert_text(out.header, "Subject: hello\r\nTo: b@example.org\r\nX-One: 1\r\nX-Three: 3\r\n");
    collect_body(s, &got);
    assert_text(buf_slice(&got), "first\r\n");
    smtpd_filters_abort(s->f);
}

// The second one changes and then dies: nobody sees what it wanted.
static void later_filters_see_changes(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1ff,6f;c;c;h:X-One=1 b:first\n c", "O:1ff,6f;c;c;h:X-Two=2 b:second !",
                             "O:1ff,4f;c;c;c;c;c;h:X-Three=3 c"};
    set_up(&s, CONFIG_FILTER_ACCEPT, scripts, 3);
    // 0x6f and 0x4f tell no CONNECT, HELO, MAIL, RCPT and EOH
    run(&s, see_changes);
    assert_told(&s, 1, "O T B(first\r\n) E");
    assert_told(&s, 2, "O T L(Subject|hello|) L(To|b@example.org|) L(X-One|1|) B(first\r\n) E Q");
    tear_down(&s);
}

static void see_places(struct scene *s) {
    struct smtpd_filtered out;
    send_message(s, &out);
    assert_text(out.header, "A: 0\r\nC: 1\r\nE: 2\r\nB: 1\r\nSubject: hello\r\nD: 4\r\nTo: b@example.org\r\n");
    assert_int_equal(out.top, strlen("A: 0\r\nC: 1\r\nE: 2\r\n"));
    smtpd_filters_abort(s->f);
}

// Places are counted with our own Received in the list, which is behind the first where one was put in front of it.
static void inserts_around_received(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1ff,6f;c;c;i1:B=1 i0:A=0 i1:C=1 c", "O:1ff,6f;c;c;i5:D=4 i2:E=2 c"};
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 2);
    run(&s, see_places);
    tear_down(&s);
}

static void send_large(struct scene *s) {
    static char piece[100000];
    struct smtpd_filter_verdict v;
    struct smtpd_filtered out;
    memset(piece, 'x', sizeof piece);
    smtpd_filters_mail(s->f, SLICE(""), SLICE_EMPTY, &v);
    assert_true(smtpd_filters_header(s->f, SLICE("A: b\r\n")));
    for (int i = 0; i < 3; i++)
        assert_true(smtpd_filters_body(s->f, slice_of(piece, sizeof piece)));
    assert_int_equal(s->held, 5 * SMTPD_FILTER_PIECE + MILTER_CHUNK);
    smtpd_filters_end(s->f, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
    assert_false(out.body_changed);
    smtpd_filters_abort(s->f);
    assert_int_equal(s->held, 0);
}

static void send_to_one(struct scene *s) {
    static char piece[100000];
    struct smtpd_filter_verdict v;
    struct smtpd_filtered out;
    memset(piece, 'x', sizeof piece);
    smtpd_filters_mail(s->f, SLICE(""), SLICE_EMPTY, &v);
    assert_true(smtpd_filters_header(s->f, SLICE("A: b\r\n")));
    for (int i = 0; i < 3; i++)
        assert_true(smtpd_filters_body(s->f, slice_of(piece, sizeof piece)));
    smtpd_filters_end(s->f, &out);
    assert_int_equal(out.verdict.what, SMTPD_FILTER_GO_ON);
    smtpd_filters_abort(s->f);
}

static void skips_bodies(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1,6ef;c;s;c;c"};
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 1);
    run(&s, send_to_one);
    struct slice told = buf_slice(&s.players[0].told);
    struct slice second = slice_from(told, slice_search(told, SLICE(") B(")) + 2);
    assert_true(slice_starts(told, SLICE("O B(xxx")) && slice_starts(second, SLICE("B(xxx")));
    assert_int_equal(slice_search(second, SLICE("x... 65535) E Q")) + strlen("x... 65535) E Q"), second.n);
    tear_down(&s);
}

static void cuts_and_holds_bodies(void **state) {
    struct scene s;
    const char *scripts[] = {"O:1,802ff;c", "O:1,802ff;c"};
    scripts[0] = scripts[1] = "O:1,802ef;c";
    set_up(&s, CONFIG_FILTER_TEMPFAIL, scripts, 2);
    run(&s, send_large);
    struct slice told = buf_slice(&s.players[0].told);
    assert_true(slice_search(told, SLICE("... 65535) B(")) < told.n);
    assert_true(slice_search(told, SLICE("... 37860) E")) < told.n); // gathered
    told = buf_slice(&s.players[1].told);
    assert_true(slice_search(told, SLICE("... 65535) B(x")) < told.n && slice_search(told, SLICE("37860) E")) < told.n);
    tear_down(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(changes_messages), cmocka_unit_test(later_filters_see_changes),
                                       cmocka_unit_test(inserts_around_received), cmocka_unit_test(skips_bodies),
                                       cmocka_unit_test(cuts_and_holds_bodies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

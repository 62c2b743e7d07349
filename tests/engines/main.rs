//! What `ekk` asks of an engine, and what a stack's records are promised, on the emulated engines and on real ones; and
//! the answers of both compared.
//!
//! The real ones are named in `EKK_REAL_ENGINES`, `OpenSearch_2.19@127.0.0.1:9201,…`: engines without security, whose
//! indexes and templates are deleted. `tests/real/engine.py` starts them.

#[path = "../stand_in/mod.rs"]
#[expect(dead_code, reason = "every test target uses its own part")]
mod stand_in;

mod calls;
mod differences;
mod engine;
mod records;
mod template;

/// Each claim is a test on the emulated engines and one on the real ones.
macro_rules! claims {
    ($($module:ident::$claim:ident),+ $(,)?) => {
        mod in_the_emulator {
            $(#[tokio::test]
            async fn $claim() {
                for engine in super::engine::emulated() {
                    super::$module::$claim(&engine).await;
                }
            })+
        }

        mod in_real_engines {
            $(#[tokio::test]
            #[ignore = "needs real engines, named in EKK_REAL_ENGINES"]
            async fn $claim() {
                for engine in super::engine::real() {
                    let _alone = engine.alone().await;
                    super::$module::$claim(&engine).await;
                }
            })+
        }
    };
}

claims!(
    template::a_template_is_made_read_back_equal_changed_and_deleted,
    records::every_form_of_pythons_time_is_a_date_and_sorts,
    records::what_is_no_time_costs_that_record_only,
    records::fields_that_clash_cost_no_record_but_where_text_meets_object,
    records::the_first_index_leaves_one_node_green,
    records::a_bulk_request_as_firehose_sends_it_is_found_by_a_search,
    records::what_is_created_by_its_id_again_is_left_as_it_is,
);

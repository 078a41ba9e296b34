"""Which test holds each option of `asyncfind find` to its word; see `test_option_table`."""

from typing import Final

__all__ = ["OPTION_TESTS"]

_OPTIONS: Final = "tests/cli/test_find_options.py::test_"
_MODEL: Final = _OPTIONS + "the_model_is_the_one_named"
_SYNTAX: Final = _OPTIONS + "transfer_syntaxes_are_proposed_and_used"
_NEW_VR: Final = _OPTIONS + "post_1993_representations_are_kept_or_not"
_NEGOTIATION: Final = _OPTIONS + "extended_negotiation_asks_and_tells"
_IDENTITY: Final = _OPTIONS + "pynetdicom_learns_who_we_are"
_FAMILY: Final = _OPTIONS + "families_of_addresses"
_CLOCK: Final = _OPTIONS + "every_clock_ends_what_it_is_for"
_LIMIT: Final = _OPTIONS + "too_much_is_cut_with_the_option_that_allows_it"
_BULK: Final = "tests/cli/test_bulk.py::test_"
_SPLIT: Final = "tests/cli/test_split.py::test_"
_OUTPUTS: Final = "tests/cli/test_outputs.py::test_"
_FILES: Final = "tests/cli/test_find_extraction.py::test_"
_LOGGING: Final = "tests/cli/test_find_logging.py::test_"
_VERBOSITY: Final = _LOGGING + "as_much_is_said_as_is_asked_for"
_TLS: Final = "tests/cli/test_find_tls.py::test_"
_PHRASES: Final = _TLS + "encrypted_keys_and_their_pass_phrases"
_TRUST: Final = _TLS + "authorities_by_file_directory_and_system"
_REVOKED: Final = _TLS + "revoked_certificates"
_VERIFY: Final = _TLS + "every_run_without_verification_says_so"
_HOST: Final = _TLS + "the_host_name_is_checked_unless_that_is_turned_off"
_PROFILE: Final = _TLS + "each_profile_speaks_as_it_is_to"
_LISTS: Final = _TLS + "lists_of_suites_and_profiles"
_OLD: Final = _TLS + "options_without_effect_say_so"

OPTION_TESTS: Final = {
    "--key": _OPTIONS + "keys_by_tag_keyword_path_and_old_name",
    "--worklist": _MODEL,
    "--patient": _MODEL,
    "--study": _MODEL,
    "--psonly": _MODEL,
    "--model": _OPTIONS + "a_model_goes_by_name_or_uid",
    "--node": _OPTIONS + "nodes_are_asked_beside_each_other",
    "--nodes": _BULK + "a_list_is_asked_of_the_nodes_of_a_group",
    "--batch": _BULK + "a_list_is_asked_of_the_nodes_of_a_group",
    "--job": _BULK + "a_job_keeps_what_the_same_run_would_show",
    "--resume": _BULK + "a_killed_job_goes_on_and_loses_nothing",
    "--retry-failed": _BULK + "failed_queries_are_asked_again_on_request",
    "--rate": _BULK + "a_rate_holds",
    "--between": _BULK + "outside_its_hours_nothing_is_sent",
    "--no-retry": _BULK + "what_may_pass_is_asked_again",
    "--peer-give-up": _BULK + "a_peer_in_trouble_is_given_up",
    "--split": _SPLIT + "a_split_query_is_all_there_is_with_a_proof",
    "--split-max": _SPLIT + "the_most_queries_of_a_split",
    "--strict": _SPLIT + "a_strict_run_fails_over_a_suspect_count",
    "--dry-run": _BULK + "a_dry_run_sends_nothing",
    "--associations": _OPTIONS + "no_more_associations_than_allowed",
    "--aetitle": _OPTIONS + "titles",
    "--call": _OPTIONS + "titles",
    "--propose-uncompr": _SYNTAX,
    "--propose-little": _SYNTAX,
    "--propose-big": _SYNTAX,
    "--propose-deflated": _SYNTAX,
    "--propose-implicit": _SYNTAX,
    "--compression-level": _OPTIONS + "the_compression_level_is_heeded",
    "--enable-new-vr": _NEW_VR,
    "--disable-new-vr": _NEW_VR,
    "--relational": _NEGOTIATION,
    "--datetime": _NEGOTIATION,
    "--fuzzy": _NEGOTIATION,
    "--timezone": _NEGOTIATION,
    "--multiframe": _NEGOTIATION,
    "--async": _OPTIONS + "queries_share_an_association_as_far_as_it_goes",
    "--user": _IDENTITY,
    "--passcode": _IDENTITY,
    "--kerberos": _IDENTITY,
    "--saml": _IDENTITY,
    "--jwt": _IDENTITY,
    "--user-rsp": _IDENTITY,
    "--ipv4": _FAMILY,
    "--ipv6": _FAMILY,
    "--ip-auto": _FAMILY,
    "--timeout": _OPTIONS + "a_connection_that_is_never_taken_ends_in_time",
    "--socket-timeout": _CLOCK,
    "--acse-timeout": _CLOCK,
    "--dimse-timeout": _CLOCK,
    "--first-response": _CLOCK,
    "--deadline": _CLOCK,
    "--bind": _OPTIONS + "own_addresses_are_taken_in_turn",
    "--max-pdu": _OPTIONS + "our_pdu_size_is_told",
    "--repeat": _OPTIONS + "repeated_queries_are_asked_so_often",
    "--abort": _OPTIONS + "associations_end_in_release_or_abort",
    "--cancel": _OPTIONS + "a_query_is_cancelled_when_it_was_to_be",
    "--max-responses": _LIMIT,
    "--max-dataset": _LIMIT,
    "--disable-tls": _TLS + "plain_tcp_is_what_the_rightmost_option_says",
    "--enable-tls": _TLS + "our_certificate_is_shown_to_who_wants_it",
    "--anonymous-tls": _TLS + "a_good_certificate_is_taken_in_silence",
    "--tls-p12": _TLS + "a_pkcs12_file_has_it_all",
    "--std-passwd": _TLS + "a_pass_phrase_is_asked_for_on_the_terminal",
    "--use-passwd": _PHRASES,
    "--null-passwd": _PHRASES,
    "--passwd-file": _PHRASES,
    "--pem-keys": _TLS + "keys_and_certificates_in_either_format",
    "--der-keys": _TLS + "keys_and_certificates_in_either_format",
    "--add-cert-file": _TRUST,
    "--add-cert-dir": _TRUST,
    "--tls-system-trust": _TRUST,
    "--add-crl-file": _REVOKED,
    "--enable-crl-vfy": _REVOKED,
    "--enable-crl-all": _REVOKED,
    "--require-peer-cert": _VERIFY,
    "--verify-peer-cert": _VERIFY,
    "--ignore-peer-cert": _VERIFY,
    "--request-sni": _HOST,
    "--tls-server-name": _HOST,
    "--no-sni": _TLS + "the_server_name_is_told_or_not",
    "--no-verify-hostname": _HOST,
    "--tls-pin": _TLS + "a_pin_takes_one_certificate_alone",
    "--profile-8996": _PROFILE,
    "--profile-8996-mod": _PROFILE,
    "--profile-bcp195-nd": _PROFILE,
    "--profile-bcp195": _PROFILE,
    "--profile-bcp195-ex": _PROFILE,
    "--profile-basic": _TLS + "the_basic_profile_speaks_3des_or_says_that_it_cannot",
    "--profile-aes": _PROFILE,
    "--profile-null": _PROFILE,
    "--list-profiles": _LISTS,
    "--cipher": _TLS + "suites_are_added_to_those_of_the_profile",
    "--list-ciphers": _LISTS,
    "--dhparam": _OLD,
    "--seed": _OLD,
    "--write-seed": _OLD,
    "--write-seed-file": _OLD,
    "--format": _OPTIONS + "each_format",
    "--output": _OPTIONS + "each_format",
    "--columns": _OUTPUTS + "columns_are_those_that_are_named",
    "--merge": _OUTPUTS + "what_several_archives_have_is_one_row",
    "--dedupe": _OUTPUTS + "what_several_archives_have_is_one_row",
    "--verdicts": _OUTPUTS + "verdicts_have_a_file_of_their_own",
    "--enable-correction": _OPTIONS + "padding_is_shown_or_not",
    "--disable-correction": _OPTIONS + "padding_is_shown_or_not",
    "--show-responses": _OPTIONS + "responses_are_shown_or_not",
    "--hide-responses": _OPTIONS + "responses_are_shown_or_not",
    "--extract": _FILES + "dicom_files",
    "--extract-xml": _FILES + "xml_files",
    "--extract-xml-single": _FILES + "one_xml_file_of_all_queries",
    "--limit-output": _FILES + "no_more_files_than_wanted",
    "--output-directory": _FILES + "another_folder",
    "--extract-overwrite": _FILES + "what_is_there_stays_unless_said_otherwise",
    "--arguments": _OPTIONS + "arguments_are_shown_as_they_were_understood",
    "--quiet": _VERBOSITY,
    "--verbose": _VERBOSITY,
    "--debug": _VERBOSITY,
    "--log-level": _VERBOSITY,
    "--log-config": _LOGGING + "events_have_the_level_of_what_they_say",
    "--version": _OPTIONS + "the_version_is_one_line",
    "--help": "tests/cli/test_help.py::test_the_help_has_every_option",
}
"""Node ids by long name."""
